"""The last line: what the keys do now, as many as fit; help and the way out always do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from ..keys import ActiveKey, active_keys

ALWAYS = ("app.help", "app.quit")
MORE = "…"


class Footer(Widget):
    """Keys and what they do; a click presses the key."""

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
        """Follow the focus, and what can be done."""
        self.screen.bindings_updated_signal.subscribe(self, self._choose)

    def on_resize(self) -> None:
        """Other keys fit now."""
        self._choose(self.screen)

    def _choose(self, screen: Screen[object]) -> None:
        shown = fitting([key for key in active_keys(screen) if key.binding.show], self.size.width)
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def render(self) -> Content:
        """One line."""
        return Content(" ").join(map(_label, self._shown))

    def _at(self, x: int) -> ActiveKey | None:
        for key in self._shown:
            x -= _width(key)
            if x < 0:
                return key
        return None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Say more of the key below the pointer."""
        key = self._at(event.x)
        tooltip = key.binding.tooltip if key is not None else None
        if tooltip != self.tooltip:
            self.tooltip = tooltip

    def on_click(self, event: events.Click) -> None:
        """Press the key."""
        key = self._at(event.x)
        if key is not None:
            self.app.simulate_key(key.binding.key)


def fitting(keys: Sequence[ActiveKey], width: int) -> list[ActiveKey | None]:
    """Those that fit into so many cells, the last left out first; None where some are left out."""
    always = [key for key in keys if key.binding.id in ALWAYS]
    shown: list[ActiveKey | None] = [key for key in keys if key.binding.id not in ALWAYS]
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
    """Cells that it takes, with the space after it."""
    return cell_len(_label(key).plain) + 1
