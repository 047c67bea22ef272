"""The session process: it takes a plan, launches its runs one by one and writes the journal."""
