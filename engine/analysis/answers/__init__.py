"""Answers to the questions of presets, in a sentence each; a module for each kind of question."""
