"""Closing a screen once, however often the key is pressed."""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import Screen, ScreenResultType


class ClosedOnce(Screen[ScreenResultType]):
    """A screen whose second answer counts for nothing.

    Keys that arrive together, as on a slow line, all reach the screen that was on top when they came;
    for each further one Textual would close a screen below.
    """

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close the screen with its result, unless it is closed already."""
        return super().dismiss(result) if self.is_active else AwaitComplete()
