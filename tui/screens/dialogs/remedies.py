"""Dialog that asks which remedy of a diagnosis to try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ....engine.plan.remedy import Remedy
from ...render.remedies import remedy_choice
from ...widgets.footer import Footer
from ..base import ClosedOnce

EXPLANATION = "Starts a session that measures the run as it was and with the change, in turns."
FRAME = 6
"""Cells of the box beside its lines: its padding, and the bar by which the list scrolls."""


class RemediesScreen(ModalScreen[Remedy | None], ClosedOnce[Remedy | None]):
    """Dismissed with the chosen remedy, or with None if cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Try", priority=True, id="remedies.try", tooltip="Try this remedy"),
        Binding("escape", "cancel", "Cancel", id="remedies.cancel", tooltip="Close without trying anything"),
    ]

    def __init__(self, diagnosis: str, run: str, remedies: Sequence[Remedy]) -> None:
        """`run`: label of the run on which a remedy is tried; `remedies`: best first, at least one."""
        super().__init__()
        self._question = f"Try a remedy for {diagnosis} of {run}:"
        self._remedies = remedies

    def compose(self) -> ComposeResult:
        """Compose the question above the remedies, and what follows below them."""
        with Vertical(classes="box"):
            yield Static(self._question, markup=False)
            yield OptionList(
                *(Option("", id=str(place)) for place in range(len(self._remedies))), markup=False
            )
            yield Static(Content.styled(EXPLANATION, "$muted"), id="explanation")
        yield Footer()

    def on_mount(self) -> None:
        """Highlight the best remedy."""
        self._list.highlighted = 0
        self._list.focus()
        self._draw()

    def on_resize(self) -> None:
        """Draw the remedies to the new width."""
        self.call_after_refresh(self._draw)

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    def _draw(self) -> None:
        width = max(20, self.query_one(".box").size.width - FRAME)
        for place, remedy in enumerate(self._remedies):
            self._list.replace_option_prompt_at_index(place, remedy_choice(remedy, width))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._remedies[event.option_index])

    def action_accept(self) -> None:
        """Close with the highlighted remedy."""
        self.dismiss(self._remedies[self._list.highlighted or 0])

    def action_cancel(self) -> None:
        """Close without a remedy."""
        self.dismiss(None)
