"""The speedup table in colour, as many columns as there is room for, in the order that was asked for."""

from __future__ import annotations

from textual import events
from textual.message import Message

from .section import PageSection


class ResultsTable(PageSection):
    """The table; a click on a title asks for another order."""

    class TitleClicked(Message):
        """The title of a column was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def on_click(self, event: events.Click) -> None:
        """A title tells its column."""
        column = event.style.meta.get("column")
        if column:
            self.post_message(self.TitleClicked(column))
