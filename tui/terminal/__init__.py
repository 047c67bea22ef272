"""The terminal: capabilities, colours, output, hang-up, and Textual's private names."""
