"""Textual widgets; they are given plain data and do no input or output themselves."""
