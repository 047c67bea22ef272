"""All uses of Textual's private names: where Textual has no public way to do what the app needs.

`CHECKED_VERSIONS` are the versions of Textual on which the tests passed. A newer one needs a look at each use
here before it is added.
"""

from __future__ import annotations

from typing import Any

import rich.text
import textual.content
from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.screen import Screen
from textual.widget import Widget

from ...engine.text.plain import plain

__all__ = [
    "CHECKED_VERSIONS",
    "CompositorUpdate",
    "FilteringApp",
    "clear_line_caches",
    "ignore_stale_resizes",
    "show_control_characters",
]

CHECKED_VERSIONS = ("8.0", "8.1", "8.2")
"""Major and minor versions of Textual."""


class FilteringApp(App[int]):
    """An app that can replace each screen update before it is sent to the terminal."""

    def filter_update(self, screen: Screen[object], update: CompositorUpdate) -> CompositorUpdate:  # noqa: ARG002
        """Return the update to send in place of `update`."""
        return update

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable = self.filter_update(screen, renderable)
        super()._display(screen, renderable)


def ignore_stale_resizes() -> None:
    """Have every screen, including Textual's own, ignore a resize to a size that the window no longer has.

    Once laid out, a screen of Textual 8 posts its new size to itself. With two sizes under way at once, as
    behind a dialog while the window is dragged, each message triggers the other for ever.
    """
    resize = Screen._on_resize

    async def resize_to_present_size(self: Screen[Any], event: events.Resize) -> None:
        if event.size == self.app.size:
            await resize(self, event)

    Screen._on_resize = resize_to_present_size  # type: ignore[method-assign]


def show_control_characters() -> None:
    """Show control characters in any text of a widget as escapes.

    Textual drops a few and sends the rest, ESC among them, to the terminal, which would act on them.
    """
    textual.content._strip_control_codes = plain  # type: ignore[assignment]
    rich.text.strip_control_codes = plain  # type: ignore[attr-defined,assignment]


def clear_line_caches(app: App[Any]) -> None:
    """Discard all rendered lines, which are cached after the app's line filters, to render them anew."""
    for screen in app.screen_stack:
        for widget in screen.walk_children(Widget, with_self=True):
            widget._styles_cache.clear()
