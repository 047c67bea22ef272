"""Closing a screen once, however often the key is pressed."""

from __future__ import annotations

from typing import Any

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen, ScreenResultType


class ClosedOnce(Screen[ScreenResultType]):
    """A screen whose second answer counts for nothing.

    Keys that arrive together, as on a slow line, all reach the screen that was on top when they came;
    for each further one Textual would close a screen below.
    """

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close the screen with its result, unless it is closed already."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


class Quittable(Screen[None]):
    """A screen that has a say in how the app ends."""

    def asks_before_quitting(self) -> bool:
        """Ask the user, if there is something to ask; False when there is nothing."""
        raise NotImplementedError

    def status(self) -> int:
        """The exit status if the app ended now."""
        raise NotImplementedError


def is_visible(screen: Screen[Any]) -> bool:
    """Whether the screen is on top, or behind nothing but questions and help.

    Textual's `is_current` is true for the screen below the top one even where that hides all of it.
    """
    return screen.is_active or (isinstance(screen.app.screen, ModalScreen) and screen.is_current)
