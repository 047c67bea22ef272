"""The figures of a session, computed from its events."""
