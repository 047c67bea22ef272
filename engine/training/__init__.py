"""One rank: the only room that imports torch."""
