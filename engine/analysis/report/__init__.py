"""The figures of a session in documents: Markdown and terminal text."""
