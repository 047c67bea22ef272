"""Where a replay stands: a line of time that a click seeks in."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...engine.text.units import clock
from ..render.gpu_strip import bar


class Timeline(Static):
    """Speed, position and length in words, and the position as a bar."""

    @dataclass
    class Clicked(Message):
        """A moment was clicked, as a share of the session."""

        share: float

    def __init__(self) -> None:
        super().__init__(id="timeline", markup=False)
        self._bar_from = 0

    def draw(self, position: float, duration: float, speed: float, how: str) -> None:
        """Draw the position; times in seconds of the session, `how` is empty while it plays."""
        state = f"■ {how}" if how else f"▶ {speed:g} times as fast"
        text = f"{state}  {clock(position)} of {clock(duration)}  "
        cells = max(0, self.content_size.width - len(text))
        self._bar_from = len(text)
        self.update(
            Content.assemble(text, (bar(position / duration if duration else 1.0, cells), "$accent")),
            layout=False,
        )

    def on_click(self, event: events.Click) -> None:
        """Seek to where the bar was clicked."""
        cell = event.get_content_offset(self)
        cells = self.content_size.width - self._bar_from
        if cell is not None and cell.x >= self._bar_from and cells > 0:
            self.post_message(self.Clicked((cell.x - self._bar_from) / cells))
