"""What is shown where the window is too small for anything else."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

from ...requests import LeaveApp
from ..base import ClosedOnce


class TooSmallScreen(ModalScreen[None], ClosedOnce[None]):
    """One sentence, until the window is larger."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Quit", id="small.quit", tooltip="Leave; a running session goes on")
    ]

    def __init__(self, least: Size) -> None:
        super().__init__()
        self._least = least

    def compose(self) -> ComposeResult:
        """The sentence."""
        yield Static(markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Say how large the window is, or make way."""
        self._make_way()
        self.query_one(Static).update(
            f"This window has {event.size.width} x {event.size.height} cells; "
            f"{self._least.width} x {self._least.height} are needed. q quits."
        )

    def on_screen_resume(self) -> None:
        """Another screen was in front while the window changed."""
        self._make_way()

    def _make_way(self) -> None:
        size = self.app.size
        if self.is_active and size.width >= self._least.width and size.height >= self._least.height:
            self.dismiss()

    def action_leave(self) -> None:
        """Quit; a session that runs goes on."""
        self.post_message(LeaveApp(0))
