"""Screens that lie over another: questions, names, help."""
