"""Sessions for tests: made of single events, recorded whole, or running."""
