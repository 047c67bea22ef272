"""Pure functions from results and events to styled text; they need no app to be tested."""
