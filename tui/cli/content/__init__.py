"""Contents of listings: what `presets`, `doctor` and `sessions` print, as text and as JSON."""
