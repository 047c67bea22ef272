"""The terminal: its capabilities, colours, output, size and loss."""
