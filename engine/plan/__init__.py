"""What to run: a preset file becomes a validated `Preset`, and on a given host a `Plan` of runs."""
