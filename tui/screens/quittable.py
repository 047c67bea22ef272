"""What a screen that shows a session says about leaving; imports nothing of the engine."""

from __future__ import annotations

from textual.screen import Screen


class Quittable(Screen[None]):
    """A screen that has a say in how the app ends."""

    def asks_before_quitting(self) -> bool:
        """Ask the user, if there is something to ask; False when there is nothing."""
        raise NotImplementedError

    def status(self) -> int:
        """The exit status if the app ended now."""
        raise NotImplementedError
