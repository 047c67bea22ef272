"""The table of results; a click on a title sorts it."""

from __future__ import annotations

from textual import events
from textual.message import Message

from .section import PageSection


class ResultsTable(PageSection):
    """The section with the table of results."""

    class TitleClicked(Message):
        """The title of a column has been clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def on_click(self, event: events.Click) -> None:
        """Post a message if a title is clicked."""
        column = event.style.meta.get("column")
        if column:
            self.post_message(self.TitleClicked(column))
