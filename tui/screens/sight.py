"""Which screen a person sees: those that nobody sees need not draw."""

from __future__ import annotations

from typing import Any

from textual.screen import ModalScreen, Screen


def in_sight(screen: Screen[Any]) -> bool:
    """Whether the screen is on top, or behind nothing but questions and help.

    Textual's `is_current` is true for the screen below the top one even where that hides all of it.
    """
    return screen.is_active or (isinstance(screen.app.screen, ModalScreen) and screen.is_current)
