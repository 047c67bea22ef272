"""The `gpubench-tui` command; nothing of Textual before the app starts."""
