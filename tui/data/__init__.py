"""Feeds of the screens: sessions, presets and the machine, read off the event loop."""
