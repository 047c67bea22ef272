"""The footer: the keys that work now, as many as fit, always including Help and Quit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from ..keys import ActiveKey, active_keys

ALWAYS_SHOWN = ("app.help", "app.quit")
MORE = "…"
"""Shown in place of the keys that do not fit."""


class Footer(Widget):
    """Keys with their descriptions; a click presses the key."""

    DEFAULT_CSS = """
    Footer {
        dock: bottom;
        height: 1;
        background: $surface;
        text-wrap: nowrap;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: Sequence[ActiveKey | None] = ()

    def on_mount(self) -> None:
        """Update whenever the focus or the available actions change."""
        self.screen.bindings_updated_signal.subscribe(self, self._choose)

    def on_resize(self) -> None:
        """Choose the keys that fit the new width."""
        self._choose(self.screen)

    def _choose(self, screen: Screen[object]) -> None:
        shown = fitting_keys([key for key in active_keys(screen) if key.binding.show], self.size.width)
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def render(self) -> Content:
        """Return the line of keys."""
        return Content(" ").join(map(_label, self._shown))

    def _at(self, x: int) -> ActiveKey | None:
        for key in self._shown:
            x -= _width(key)
            if x < 0:
                return key
        return None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Show the tooltip of the key under the pointer."""
        key = self._at(event.x)
        tooltip = key.binding.tooltip if key is not None else None
        if tooltip != self.tooltip:
            self.tooltip = tooltip

    def on_click(self, event: events.Click) -> None:
        """Press the key that is clicked."""
        key = self._at(event.x)
        if key is not None:
            self.app.simulate_key(key.binding.key)


def fitting_keys(keys: Sequence[ActiveKey], width: int) -> list[ActiveKey | None]:
    """Return the keys that fit into `width` cells, leaving out the last first; None marks omitted ones."""
    always = [key for key in keys if key.binding.id in ALWAYS_SHOWN]
    shown: list[ActiveKey | None] = [key for key in keys if key.binding.id not in ALWAYS_SHOWN]
    if sum(map(_width, [*shown, *always])) - 1 > width:
        shown.append(None)
        while len(shown) > 1 and sum(map(_width, [*shown, *always])) - 1 > width:
            del shown[-2]
    return [*shown, *always]


def _label(key: ActiveKey | None) -> Content:
    if key is None:
        return Content.styled(MORE, "$muted")
    style = "bold $text-accent" if key.enabled else "$muted"
    return Content.assemble((key.shown[0], style), (f" {key.binding.description}", "$muted"))


def _width(key: ActiveKey | None) -> int:
    """Return the width of a key in cells, with the space after it."""
    return cell_len(_label(key).plain) + 1
