"""Keeps a screen from being laid out for two sizes in turn, for ever.

Textual 8.2 has a screen tell itself its new size once it is laid out. Where two sizes are under way at once,
as behind a question while the window is dragged, each telling brings the other about.
"""

from __future__ import annotations

from typing import Any

from textual import events
from textual.screen import Screen


def ignore_past_sizes() -> None:
    """Have every screen, Textual's own as well, take no notice of a size that the window has no more."""
    resize = Screen._on_resize

    async def resize_now(self: Screen[Any], event: events.Resize) -> None:
        if event.size == self.app.size:
            await resize(self, event)

    Screen._on_resize = resize_now  # type: ignore[method-assign]
