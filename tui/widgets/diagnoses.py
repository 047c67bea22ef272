"""The list of diagnoses, which show their evidence and advice on demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from ...engine.analysis.diagnosis.case import Diagnosis
from ..render.diagnoses import diagnosis_lines, fitting_diagnoses, more_diagnoses
from ..render.drawing.grid import wrapped


class DiagnosisLine(Static, can_focus=True):
    """One diagnosis; Enter shows or hides its evidence and advice."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter,space",
            "expand",
            "Evidence",
            id="diagnosis.expand",
            tooltip="Show or hide the evidence of the diagnosis, and what to try",
        )
    ]

    def __init__(self, diagnosis: Diagnosis, width: int, is_open: bool) -> None:
        super().__init__(markup=False, classes=diagnosis.severity)
        self.diagnosis = diagnosis
        self.is_open = is_open
        self._width = width
        self._draw()

    def show(self, diagnosis: Diagnosis, width: int) -> None:
        """Show a diagnosis in lines of `width` cells."""
        if (diagnosis, width) != (self.diagnosis, self._width):
            self.diagnosis, self._width = diagnosis, width
            self.set_classes(diagnosis.severity)
            self._draw()

    def on_click(self) -> None:
        """Do what Enter does."""
        self.action_expand()

    def action_expand(self) -> None:
        """Show or hide the evidence and the advice."""
        self.is_open = not self.is_open
        self._draw()
        self.call_after_refresh(self.scroll_visible, animate=False)

    def _draw(self) -> None:
        self.update(diagnosis_lines(self.diagnosis, self._width, self.is_open))


class MoreDiagnoses(Static, can_focus=True):
    """A line for the diagnoses that are not shown yet; Enter shows them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", "Show more", id="diagnosis.others", tooltip="Show the other diagnoses")
    ]

    class Opened(Message):
        """The user wants to see the other diagnoses."""

    def action_open(self) -> None:
        """Ask for the other diagnoses."""
        self.post_message(self.Opened())

    def on_click(self) -> None:
        """Ask for the other diagnoses."""
        self.action_open()


class Diagnoses(Vertical):
    """The most severe diagnoses, and on demand the others; Tab moves from one to the next."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, classes="section")
        self.border_title = "Diagnosis"
        self._lines: list[DiagnosisLine] = []
        self._others = MoreDiagnoses(markup=False)
        self._all = False

    def show(self, diagnoses: Sequence[Diagnosis], otherwise: str, width: int, room: int) -> None:
        """Show as many diagnoses as fit into `room` lines, at least one; `otherwise` if there are none.

        Expanded diagnoses stay expanded.
        """
        if diagnoses and [line.diagnosis.name for line in self._lines] == [one.name for one in diagnoses]:
            for line, diagnosis in zip(self._lines, diagnoses, strict=True):
                line.show(diagnosis, width)
        else:
            self._renew(diagnoses, otherwise, width)
        count = len(diagnoses) if self._all else fitting_diagnoses(diagnoses, width, room)
        for place, line in enumerate(self._lines):
            line.display = place < count
        self._others.display = count < len(diagnoses)
        self._others.update(more_diagnoses(diagnoses[count:]))

    def _renew(self, diagnoses: Sequence[Diagnosis], otherwise: str, width: int) -> None:
        opened = {line.diagnosis.name for line in self._lines if line.is_open}
        focused = next((line.diagnosis.name for line in self._lines if line.has_focus), None)
        self.remove_children()
        self._lines = [DiagnosisLine(one, width, one.name in opened) for one in diagnoses]
        self._others = MoreDiagnoses(markup=False)
        self.mount_all([*self._lines, self._others])
        for line in self._lines:
            if line.diagnosis.name == focused:
                line.focus()
        if not diagnoses:
            self.mount(Static(wrapped(otherwise, width, "$muted"), markup=False))

    @on(MoreDiagnoses.Opened)
    def _show_all(self) -> None:
        first = next(line for line in self._lines if not line.display)
        for line in self._lines:
            line.display = True
        self._others.display = False
        self._all = True
        first.focus()
