"""Dialogs shown over a screen: questions, names, export, help."""
