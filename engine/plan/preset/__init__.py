"""The preset: its declaration, how its file is read, changed, written and explained, and the library."""
