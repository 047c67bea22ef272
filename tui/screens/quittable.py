"""What a screen and the app say to each other about leaving; imports nothing of the engine."""

from __future__ import annotations

from textual.message import Message
from textual.screen import Screen


class Quittable(Screen[None]):
    """A screen that has a say in how the app ends."""

    class Left(Message):
        """The screen asks the app to end with this status, saying these words on the terminal it leaves."""

        def __init__(self, status: int, words: str = "") -> None:
            super().__init__()
            self.status = status
            self.words = words

    def asks_before_quitting(self) -> bool:
        """Ask the user, if there is something to ask; False when there is nothing."""
        raise NotImplementedError

    def status(self) -> int:
        """The exit status if the app ended now."""
        raise NotImplementedError


class NewSession(Message):
    """The user wants to see the presets."""
