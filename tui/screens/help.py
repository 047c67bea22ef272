"""Help: the keys of the screen below, and the words used on it."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

WORDS = (
    ("session", "one press of Enter: a plan executed once, recorded in a folder of its own"),
    ("run", "one configuration (mode, devices, workload), measured in fresh processes"),
    ("device", "one GPU; on a machine without GPUs an equal share of the cores"),
    ("window", "consecutive training steps measured as one; figures are medians over windows"),
    ("±", "after samples/s in the table: 1.4826 x median absolute deviation over windows"),
    ("± 1.2%", "in the monitor: half the 95% interval of the mean, as a share of it"),
    ("live", "taken from the last steps, to look at; never used in a result"),
    ("speedup", "samples/s of a run over those of its baseline"),
    ("efficiency", "speedup over the number of devices"),
    ("!", "the GPU's clock is held down: throttle reasons"),
    ("n/a", "not available here; never means zero"),
)


class HelpScreen(ModalScreen[None]):
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
            yield Static(self._keys())
            yield Static(_words())
            yield Static(Content.styled("Escape closes this help.", "$text-muted"))

    def _keys(self) -> Content:
        lines = [Content.styled("Keys", "bold")]
        for active in self._below.active_bindings.values():
            binding = active.binding
            if binding.tooltip and not binding.system:
                key = self.app.get_key_display(binding)
                lines.append(Content.assemble((f"{key:>7}  ", "$text-accent"), binding.tooltip))
        lines.append(Content.assemble((f"{'tab':>7}  ", "$text-accent"), "Next panel; arrows scroll in it"))
        return Content("\n").join([*lines, Content("")])

    def action_close(self) -> None:
        """Back to the screen below."""
        self.dismiss()


def _words() -> Content:
    lines = [Content.styled("Words", "bold")]
    lines += [Content.assemble((f"{word:>10}  ", "$text-accent"), meaning) for word, meaning in WORDS]
    return Content("\n").join([*lines, Content("")])
