"""What explains or spoils the figures: a sentence each, with its evidence and a remedy on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from ...engine.analysis.diagnosis.case import Diagnosis
from .grid import wrapped

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

    def action_expand(self) -> None:
        """Show the evidence and the remedy, or hide them again."""
        self.is_open = not self.is_open
        self._draw()
        self.call_after_refresh(self.scroll_visible, animate=False)

    def _draw(self) -> None:
        self.update(Content("\n").join(self._lines()))

    def _lines(self) -> Iterator[Content]:
        found, width = self.diagnosis, self._width
        lead = f"{found.severity}: "
        yield wrapped(f"{found.sentence}.", width, lead=lead).stylize(STYLES[found.severity], 0, len(lead))
        if self.is_open:
            yield wrapped(found.name, width, "$muted", indent=2)
            for evidence in found.evidence:
                yield wrapped(evidence.value, width, "bold", indent=2, lead=f"{evidence.what}: ")
            yield wrapped(f"{found.remedy}.", width, "$text-accent", indent=2, lead="Try: ")


class Diagnoses(Vertical):
    """All of them, gravest first; Tab goes from one to the next."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = "Diagnosis"

    def show(self, found: Sequence[Diagnosis], otherwise: str, width: int) -> None:
        """Show these; where there are none, `otherwise` says why. Those opened stay open."""
        lines = list(self.query_children(DiagnosisLine))
        if found and [line.diagnosis.name for line in lines] == [one.name for one in found]:
            for line, diagnosis in zip(lines, found, strict=True):
                line.show(diagnosis, width)
            return
        opened = {line.diagnosis.name for line in lines if line.is_open}
        focused = next((line.diagnosis.name for line in lines if line.has_focus), None)
        self.remove_children()
        if found:
            fresh = [DiagnosisLine(one, width, one.name in opened) for one in found]
            self.mount_all(fresh)
            for line in fresh:
                if line.diagnosis.name == focused:
                    line.focus()
        else:
            self.mount(Static(wrapped(otherwise, width, "$muted"), markup=False))
