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


class AsksBeforeQuitting:
    """A screen that may ask before the app quits."""

    def asks_before_quitting(self) -> bool:
        """Ask the user if needed, and return whether the user is being asked."""
        raise NotImplementedError


class HoldsEdits(AsksBeforeQuitting):
    """A screen with edits that are lost when it is closed."""

    @property
    def has_edits(self) -> bool:
        """Return whether there are any."""
        raise NotImplementedError


class Quittable(AsksBeforeQuitting, Screen[None]):
    """A screen that determines the app's exit status."""

    def status(self) -> int:
        """Return the exit status of the app if it ended now."""
        raise NotImplementedError


def has_edits(screen: Screen[Any]) -> bool:
    """Return whether closing the screen would lose edits."""
    return isinstance(screen, HoldsEdits) and screen.has_edits


def is_visible(screen: Screen[Any]) -> bool:
    """Return whether the screen is on top, or behind dialogs only.

    Textual's `is_current` is also true for a screen that the one on top hides completely.
    """
    return screen.is_active or (isinstance(screen.app.screen, ModalScreen) and screen.is_current)
