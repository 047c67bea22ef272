"""Charts of the results as one self-contained SVG picture, in light and dark colours."""
