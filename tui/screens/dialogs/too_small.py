"""Notice shown while the terminal window is too small."""

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
    """Shows one sentence until the window is large enough."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Quit", id="small.quit", tooltip="Quit; a running session keeps running")
    ]

    def __init__(self, least: Size) -> None:
        super().__init__()
        self._least = least

    def compose(self) -> ComposeResult:
        """Compose the sentence."""
        yield Static(markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Show the size of the window, or close if it is large enough."""
        self._close_if_large_enough()
        self.query_one(Static).update(
            f"This window has {event.size.width} x {event.size.height} cells; "
            f"{self._least.width} x {self._least.height} are needed. q quits."
        )

    def on_screen_resume(self) -> None:
        """Close if the window was enlarged while another screen was on top."""
        self._close_if_large_enough()

    def _close_if_large_enough(self) -> None:
        size = self.app.size
        if self.is_active and size.width >= self._least.width and size.height >= self._least.height:
            self.dismiss()

    def action_leave(self) -> None:
        """Quit; a running session keeps running."""
        self.post_message(LeaveApp(0))
