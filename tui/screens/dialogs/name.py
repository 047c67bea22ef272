"""Dialog that asks for a name, validated as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ..base import ClosedOnce

HINT = "Enter renames, Escape cancels"


class NameScreen(ModalScreen[str], ClosedOnce[str]):
    """Asks for a name; dismissed with it, or with "" if cancelled or unchanged."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="name.cancel", tooltip="Close without doing anything")
    ]

    def __init__(self, question: str, name: str, problem_with: Callable[[str], str]) -> None:
        """`problem_with`: returns why a name is not possible, one sentence; "" if it is."""
        super().__init__()
        self._question = question
        self._name_before = name
        self._problem_with = problem_with

    def compose(self) -> ComposeResult:
        """Compose the question, the field, and the hint or error."""
        with Vertical(classes="box"):
            yield Static(Content(self._question))
            yield Input(self._name_before, select_on_focus=False, compact=True, id="name")
            yield Static(Content.styled(HINT, "$muted"), id="hint")

    def _problem(self) -> str:
        name = self.query_one(Input).value.strip()
        return "" if name == self._name_before else self._problem_with(name)

    @on(Input.Changed)
    def _typed(self) -> None:
        problem = self._problem()
        hint = Content.styled(problem, "$text-error") if problem else Content.styled(HINT, "$muted")
        self.query_one("#hint", Static).update(hint)

    @on(Input.Submitted)
    def _take(self) -> None:
        name = self.query_one(Input).value.strip()
        if self._problem():
            self.app.bell()
        else:
            self.dismiss("" if name == self._name_before else name)

    def action_cancel(self) -> None:
        """Close without a new name."""
        self.dismiss("")
