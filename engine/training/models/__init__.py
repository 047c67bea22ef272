"""Models by name, and those that are built in."""
