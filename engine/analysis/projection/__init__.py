"""Projections to more devices, by models of what was measured on fewer."""
