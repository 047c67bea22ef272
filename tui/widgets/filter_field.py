"""The field above a list whose text filters it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class FilterField(Input):
    """Field for the filter; Enter and Down move to the list, Escape clears the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "down,enter", "screen.leave_filter", "To the list", id="filter.leave", tooltip="Go to the list"
        ),
        Binding(
            "escape",
            "screen.clear_filter",
            "Clear",
            id="filter.clear",
            tooltip="Clear the filter and show all",
        ),
    ]

    def __init__(self, placeholder: str, *, id: str) -> None:  # noqa: A002
        super().__init__(placeholder=placeholder, compact=True, id=id)
