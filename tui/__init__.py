"""The terminal program: the command line and the Textual app. It shows; it measures nothing."""
