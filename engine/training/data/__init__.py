"""Data sets, and batches of them for one rank."""
