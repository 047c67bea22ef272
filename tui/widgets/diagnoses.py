"""What explains or spoils the figures: a sentence each, with its evidence and a remedy on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...engine.analysis.diagnosis.case import Diagnosis
from ..render.grid import wrapped

STYLES = {"severe": "$text-error", "warning": "$text-warning", "info": "$text-primary"}


class DiagnosisLine(Static, can_focus=True):
    """One diagnosis."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter,space",
            "expand",
            "Evidence",
            id="diagnosis.expand",
            tooltip="Show the evidence of the diagnosis and what to try, or only its sentence",
        )
    ]

    def __init__(self, diagnosis: Diagnosis, width: int, is_open: bool) -> None:
        super().__init__(markup=False, classes=diagnosis.severity)
        self.diagnosis = diagnosis
        self.is_open = is_open
        self._width = width
        self._draw()

    def show(self, diagnosis: Diagnosis, width: int) -> None:
        """Show it, in paragraphs of that width."""
        if (diagnosis, width) != (self.diagnosis, self._width):
            self.diagnosis, self._width = diagnosis, width
            self.set_classes(diagnosis.severity)
            self._draw()

    def on_click(self) -> None:
        """As Enter."""
        self.action_expand()

    def action_expand(self) -> None:
        """Show the evidence and the remedy, or hide them again."""
        self.is_open = not self.is_open
        self._draw()
        self.call_after_refresh(self.scroll_visible, animate=False)

    def _draw(self) -> None:
        self.update(Content("\n").join(self._lines()))

    def _lines(self) -> Iterator[Content]:
        found, width = self.diagnosis, self._width
        yield _sentence(found, width)
        if self.is_open:
            yield wrapped(found.name, width, "$muted", indent=2)
            for evidence in found.evidence:
                yield wrapped(evidence.value, width, "bold", indent=2, lead=f"{evidence.what}: ")
            yield wrapped(f"{found.remedy}.", width, "$text-accent", indent=2, lead="Try: ")


def _sentence(found: Diagnosis, width: int) -> Content:
    lead = f"{found.severity}: "
    return wrapped(f"{found.sentence}.", width, lead=lead).stylize(STYLES[found.severity], 0, len(lead))


class MoreDiagnoses(Static, can_focus=True):
    """Stands for the diagnoses that are not shown yet."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", "Show them", id="diagnosis.others", tooltip="Show the other diagnoses")
    ]

    class Opened(Message):
        """They are to be shown."""

    def action_open(self) -> None:
        """Show them."""
        self.post_message(self.Opened())

    def on_click(self) -> None:
        """Show them."""
        self.action_open()


class Diagnoses(Vertical):
    """The gravest of them, and on demand the others; Tab goes from one to the next."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, classes="section")
        self.border_title = "Diagnosis"
        self._lines: list[DiagnosisLine] = []
        self._others = MoreDiagnoses(markup=False)
        self._all = False

    def show(self, found: Sequence[Diagnosis], otherwise: str, width: int, room: int) -> None:
        """Show as many as `room` lines hold, one at least; where there are none, `otherwise` says why.

        Those opened stay open.
        """
        if found and [line.diagnosis.name for line in self._lines] == [one.name for one in found]:
            for line, diagnosis in zip(self._lines, found, strict=True):
                line.show(diagnosis, width)
        else:
            self._renew(found, otherwise, width)
        count = len(found) if self._all else _fitting(found, width, room)
        for place, line in enumerate(self._lines):
            line.display = place < count
        self._others.display = count < len(found)
        self._others.update(_in_numbers(found[count:]))

    def _renew(self, found: Sequence[Diagnosis], otherwise: str, width: int) -> None:
        opened = {line.diagnosis.name for line in self._lines if line.is_open}
        focused = next((line.diagnosis.name for line in self._lines if line.has_focus), None)
        self.remove_children()
        self._lines = [DiagnosisLine(one, width, one.name in opened) for one in found]
        self._others = MoreDiagnoses(markup=False)
        self.mount_all([*self._lines, self._others])
        for line in self._lines:
            if line.diagnosis.name == focused:
                line.focus()
        if not found:
            self.mount(Static(wrapped(otherwise, width, "$muted"), markup=False))

    @on(MoreDiagnoses.Opened)
    def _show_all(self) -> None:
        first = next(line for line in self._lines if not line.display)
        for line in self._lines:
            line.display = True
        self._others.display = False
        self._all = True
        first.focus()


def _fitting(found: Sequence[Diagnosis], width: int, room: int) -> int:
    """How many of them `room` lines hold, with one for the others where some are left."""
    heights = [_sentence(one, width).plain.count("\n") + 1 for one in found]
    if sum(heights) <= room:
        return len(found)
    count = 1
    while sum(heights[: count + 1]) < room:
        count += 1
    return count


def _in_numbers(found: Sequence[Diagnosis]) -> Content:
    severities = [one.severity for one in found]
    several = severities.count("warning") > 1
    counts = [
        f"{severities.count(one)} {one}{'s' if several and one == 'warning' else ''}"
        for one in dict.fromkeys(severities)
    ]
    return Content.styled(f"and {len(found)} more: {', '.join(counts)}", "$text-accent")
