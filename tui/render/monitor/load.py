"""Styles by which load and fullness are seen at a glance, wherever devices are shown."""

from __future__ import annotations

IDLE, HIGH_LOAD = 0.1, 0.75
"""Shares of a device's time below which it idles, and from which its load is high."""
NEARLY_FULL, FULL = 0.9, 0.98
"""Shares of a memory from which it is nearly full, and full."""
HOT_CELSIUS, TOO_HOT_CELSIUS = 85.0, 95.0


def load_style(share: float | None) -> str:
    """Return the style of a load, given as a share of 1."""
    if share is None or share < IDLE:
        return "$muted"
    return "$primary" if share < HIGH_LOAD else "$success"


def fullness_style(share: float | None) -> str:
    """Return the style of a memory that is filled to that share."""
    if share is None or share < NEARLY_FULL:
        return ""
    return "$text-warning" if share < FULL else "$text-error"


def heat_style(celsius: float | None) -> str:
    """Return the style of a temperature."""
    if celsius is None or celsius < HOT_CELSIUS:
        return ""
    return "$text-warning" if celsius < TOO_HOT_CELSIUS else "$text-error"
