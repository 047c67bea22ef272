"""Bars, tables, plots and sparklines of which the rest is made."""
