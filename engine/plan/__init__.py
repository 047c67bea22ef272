"""The plan: a preset file becomes a validated `Preset`, and on a host a `Plan` of runs."""
