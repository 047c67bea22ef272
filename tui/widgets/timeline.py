"""The timeline of a replay; a click seeks."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...engine.text.units import clock
from ..render.drawing.bars import filled_bar


class Timeline(Static):
    """Shows speed, position and duration in words, and the position as a bar."""

    @dataclass
    class Clicked(Message):
        """A moment has been clicked."""

        share: float
        """The moment as a share of the session, 0 to 1."""

    def __init__(self) -> None:
        super().__init__(id="timeline", markup=False)
        self._bar_from = 0

    def draw(self, position: float, duration: float, speed: float, state: str) -> None:
        """Draw position and duration in s; `state` says why the replay stands still, empty while it plays."""
        mode = f"■ {state}" if state else f"▶ {speed:g}x speed"
        text = f"{mode}  {clock(position)} of {clock(duration)}  "
        cells = max(0, self.content_size.width - len(text))
        self._bar_from = len(text)
        self.update(
            Content.assemble(text, (filled_bar(position / duration if duration else 1.0, cells), "$accent")),
            layout=False,
        )

    def on_click(self, event: events.Click) -> None:
        """Seek to the clicked moment."""
        cell = event.get_content_offset(self)
        cells = self.content_size.width - self._bar_from
        if cell is not None and cell.x >= self._bar_from and cells > 0:
            self.post_message(self.Clicked((cell.x - self._bar_from) / cells))
