"""Text shared by reports and screens: units, tables, grouping, Markdown."""
