"""Sessions beside each other: the list, the comparison."""
