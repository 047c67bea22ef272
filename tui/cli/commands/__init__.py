"""The commands of gpubench-tui: each module declares its arguments and does what it says."""
