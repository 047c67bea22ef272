"""Results as one SVG picture of charts, fit for a README: pure Python, nothing fetched, light and dark."""
