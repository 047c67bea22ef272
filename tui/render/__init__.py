"""Pure functions from results and events to styled text; testable without an app."""
