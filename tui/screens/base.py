"""Base classes of the screens."""

from __future__ import annotations

from typing import Any

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen, ScreenResultType


class ClosedOnce(Screen[ScreenResultType]):
    """A screen that can be dismissed only once.

    Keys that arrive together, as over a slow connection, all reach the screen that was on top when they came;
    for each further key Textual would close a screen below.
    """

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close the screen with its result, unless it is already closed."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


class Quittable(Screen[None]):
    """A screen that may ask before the app quits and determines its exit status."""

    def asks_before_quitting(self) -> bool:
        """Ask the user if needed, and return whether the user is being asked."""
        raise NotImplementedError

    def status(self) -> int:
        """Return the exit status of the app if it ended now."""
        raise NotImplementedError


def is_visible(screen: Screen[Any]) -> bool:
    """Return whether the screen is on top, or behind dialogs only.

    Textual's `is_current` is also true for a screen that the one on top hides completely.
    """
    return screen.is_active or (isinstance(screen.app.screen, ModalScreen) and screen.is_current)
