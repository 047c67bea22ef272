"""Layers around a model: checkpointing of its blocks, compilation, and modules of the program's own."""
