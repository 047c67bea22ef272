"""The engine: measures training runs and records what happened. It knows no screen."""
