"""Processes and files of a session: how they start, and how all of them end with it."""
