"""Several sessions: the overview and the comparison."""
