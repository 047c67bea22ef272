"""Data for the screens, read outside the event loop: sessions, presets and the machine."""
