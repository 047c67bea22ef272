"""The keys of every screen that shows a session."""

from __future__ import annotations

from textual.binding import Binding, BindingType

VIEW_KEYS: list[BindingType] = [
    Binding("t", "results", "Table", id="monitor.results", tooltip="The results so far"),
    Binding(
        "p",
        "pause",
        "Pause",
        id="monitor.pause",
        tooltip="Hold the view still, or let it go on; the session is not touched",
    ),
    Binding("z", "zoom", "Zoom", id="monitor.zoom", tooltip="Show the focused panel alone, or all again"),
    Binding("l", "log", "Log", id="monitor.log", tooltip="Whose log: the session's, then that of each rank"),
    Binding(
        "left_square_bracket",
        "time(-1)",
        "Longer",
        show=False,
        id="monitor.longer",
        tooltip="Show a longer stretch of time",
    ),
    Binding(
        "right_square_bracket",
        "time(1)",
        "Shorter",
        show=False,
        id="monitor.shorter",
        tooltip="Show a shorter stretch of time: all, the last 10 minutes, the last minute",
    ),
    Binding(
        "tab",
        "panel(1)",
        "Next panel",
        show=False,
        id="monitor.next",
        tooltip="Next panel; the arrows scroll in it",
    ),
    Binding(
        "shift+tab", "panel(-1)", "Last panel", show=False, id="monitor.previous", tooltip="Previous panel"
    ),
    Binding(
        "escape",
        "unzoom",
        "All panels",
        show=False,
        id="monitor.unzoom",
        tooltip="Show all panels again",
    ),
]
"""A screen's own keys come before them."""
