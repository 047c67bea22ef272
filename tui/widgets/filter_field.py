"""The field in which a filter is typed, above the list that it narrows."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class FilterField(Input):
    """One line; Enter and Down go on to the list, Escape ends the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,enter", "screen.leave_filter", "To the list", id="filter.leave", tooltip="To the list"),
        Binding(
            "escape",
            "screen.clear_filter",
            "Clear",
            id="filter.clear",
            tooltip="End the filter; show all again",
        ),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(placeholder="name, question or model", compact=True, id=id)
