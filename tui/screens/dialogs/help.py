"""Help: what the focused panel shows, the keys of the screen below, and the words used on it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from ...keys import active_keys
from ..base import ClosedOnce
from .help_texts import about

BOX_WIDTH, BOX_FRAME, NAME_WIDTH = 72, 7, 10
"""Cells: as in app.tcss, its border, padding and scrollbar, and the column of keys and words."""

WORDS = (
    ("session", "one press of Enter: a plan executed once, recorded in a folder of its own"),
    ("run", "one configuration (mode, devices, workload), measured in fresh processes"),
    ("device", "one GPU; on a machine without GPUs an equal share of the cores"),
    ("window", "consecutive training steps measured as one; figures are medians over windows"),
    ("±", "after samples/s in the table: 1.4826 x median absolute deviation over windows"),
    ("± 1.2%", "in the monitor: half the 95% interval of the mean, as a share of it"),
    ("live", "taken from the last steps, to look at; never used in a result"),
    ("baseline", "the run that others of the plan are compared with"),
    ("speedup", "samples/s of a run over those of its baseline"),
    ("efficiency", "speedup over the number of devices"),
    ("gain", "of trainings side by side: their times alone, added up, over the longest side by side"),
    ("exposed", "communication that no computation hides: the step is longer by it"),
    ("copying", "averaged gradients go from ddp's buckets back to their parameters"),
    ("overlap", "the share of a step's communication that computation hides"),
    ("sync cost", "a step less one that leaves out synchronising gradients"),
    ("noise", "what is below it may be nothing: its 95% interval contains zero"),
    ("busbw", "what crosses each link, as NVIDIA's nccl-tests count it"),
    ("reachable", "the busbw of the collective alone, on the same ranks"),
    ("MFU", "arithmetic of the model over what the device was measured to do"),
    ("!", "the GPU's clock is held down: throttle reasons"),
    ("n/a", "not available here; never means zero"),
)


class HelpScreen(ModalScreen[None], ClosedOnce[None]):
    """Shown over another screen until a key closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,f1", "close", "Close", id="help.close", tooltip="Back to the screen")
    ]

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self._below = screen

    def compose(self) -> ComposeResult:
        """One box that scrolls."""
        with VerticalScroll(classes="box"):
            title, text = about(self._below)
            if text:
                yield Static(_paragraph(title, text, self._width))
            yield Static(_section("Keys", self._keys(), self._width))
            yield Static(_section("Words", WORDS, self._width))
            yield Static(Content.styled("Escape closes this help.", "$muted"))

    @property
    def _width(self) -> int:
        """Cells inside the box."""
        return min(BOX_WIDTH, int(self.app.size.width * 0.96)) - BOX_FRAME

    def _keys(self) -> list[tuple[str, str]]:
        """What the program's own keys do below, the focused panel's first."""
        active = active_keys(self._below)
        keys = [(" ".join(key.shown), key.binding.tooltip) for key in active]
        if any(key.binding.key == "tab" for key in active):
            return keys
        return [*keys, ("tab", "next panel; the arrows scroll in it")]

    def action_close(self) -> None:
        """Back to the screen below."""
        self.dismiss()


def _paragraph(title: str, text: str, width: int) -> Content:
    lines = textwrap.wrap(text, max(10, width))
    return Content("\n").join([Content.styled(title, "bold"), *map(Content, lines), Content("")])


def _section(title: str, entries: Iterable[tuple[str, str]], width: int) -> Content:
    lines = [Content.styled(title, "bold")]
    for word, meaning in entries:
        first, *rest = textwrap.wrap(meaning, max(10, width - NAME_WIDTH - 2))
        lines.append(Content.assemble((f"{word:>{NAME_WIDTH}}  ", "$text-accent"), first))
        lines += [Content(" " * (NAME_WIDTH + 2) + line) for line in rest]
    return Content("\n").join([*lines, Content("")])
