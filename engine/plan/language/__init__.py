"""Language models: their shapes, the files of tokens that they learn from, and the memory that they need."""
