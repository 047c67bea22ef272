"""The doctor: hardware and software of this machine, and what will limit a benchmark on it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...engine.analysis.report.machine import machine_report
from ...engine.host.findings import findings
from ...engine.host.inspect import inspect_host
from ...engine.record.shelf import default_root
from ..widgets.footer import Footer
from ..widgets.panel import Panel
from ..workers import in_thread
from .base import ClosedOnce

LEVELS = {"error: ": "$text-error", "warning: ": "$text-warning", "ok: ": "$text-success"}
"""Styles of findings, by how they begin."""


class DoctorScreen(ClosedOnce[None]):
    """Shows what the command `doctor` prints, of this machine with all its GPUs."""

    CSS = "DoctorScreen #machine { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "inspect", "Inspect again", id="doctor.inspect", tooltip="Inspect the machine again"),
        Binding("c", "copy", "Copy", id="doctor.copy", tooltip="Copy the text to the clipboard"),
        Binding("escape", "close", "Back", id="doctor.close", tooltip="Back to the previous screen"),
    ]

    class Inspected(Message):
        """The machine has been inspected."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, root: Path | None) -> None:
        super().__init__()
        self._root = root
        self._text = ""

    def compose(self) -> ComposeResult:
        """Compose one panel."""
        yield Static(Content.styled("Doctor", "bold"), classes="headline")
        yield Panel("This machine", id="machine")
        yield Footer()

    def on_mount(self) -> None:
        """Begin with an inspection."""
        self.query_one(Panel).focus()
        self.action_inspect()

    def action_inspect(self) -> None:
        """Inspect the machine again."""
        self.query_one(Panel).show(Content.styled("inspecting this machine", "$muted"))
        self._inspect()

    @in_thread("inspecting this machine", feed=True, exclusive=True)
    def _inspect(self) -> None:
        host = inspect_host()
        found = findings(host, self._root or default_root())
        self.post_message(self.Inspected(machine_report(host, found)))

    @on(Inspected)
    def _inspected(self, message: Inspected) -> None:
        self._text = message.text
        self.query_one(Panel).show(Content("\n").join(_styled(message.text)))

    def action_copy(self) -> None:
        """Copy the text to the clipboard."""
        if self._text:
            self.app.copy_to_clipboard(self._text)
            self.notify("Copied, if the terminal supports it (OSC 52).")

    def action_close(self) -> None:
        """Return to the screen before."""
        self.dismiss()


def _styled(text: str) -> list[Content]:
    """Return the lines, those of a finding in the colour of its level."""
    lines, style = [], ""
    for line in text.split("\n"):
        if not line.startswith("    "):  # another finding
            style = next((of for begin, of in LEVELS.items() if line.startswith(begin)), "")
        lines.append(Content.styled(line, style) if style else Content(line))
    return lines
