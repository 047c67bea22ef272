"""Notices to a person who looks elsewhere, as sequences for the terminal: bell, notification, window title.

None of them moves the cursor or draws anything, so they may be sent between two updates of the screen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from ...engine.text.plain import cut_in_middle, unbroken

BELL = "\a"
LONGEST_NOTICE = 200
"""Characters of a title or a notification at most."""
SAVE_TITLE, RESTORE_TITLE = "\x1b[22;2t", "\x1b[23;2t"
"""Sequences of xterm's by which a terminal keeps the title it has, and shows it again."""


class Notices(NamedTuple):
    """The kinds of notice that the user wants."""

    bell: bool = False
    notification: str = "none"
    """`none`, or the sequence that asks for a desktop notification: `osc9` or `osc777`."""
    title: bool = False
    """Whether the window's title shows the progress of a session."""

    def of_end(self, title: str, text: str, environment: Mapping[str, str] = os.environ) -> str:
        """Return what to send when a session has ended."""
        sequence = ""
        if self.notification == "osc9":
            sequence = f"\x1b]9;{_safe(f'{title}: {text}' if text else title)}\a"
        elif self.notification == "osc777":
            sequence = f"\x1b]777;notify;{_safe(title).replace(';', ',')};{_safe(text)}\a"
        return _through_multiplexer(sequence, environment) + (BELL if self.bell else "")


def window_title(text: str) -> str:
    """Return the sequence that sets the window's title; multiplexers take it for their own."""
    return f"\x1b]2;{_safe(text)}\a"


def _safe(text: str) -> str:
    """Return text that cannot end the sequence it is in, nor begin another."""
    return cut_in_middle(unbroken(text), LONGEST_NOTICE)


def _through_multiplexer(sequence: str, environment: Mapping[str, str]) -> str:
    """Wrap a sequence so that tmux or GNU screen hand it on to the terminal around them."""
    if not sequence:
        return ""
    if environment.get("TMUX"):
        doubled = sequence.replace("\x1b", "\x1b\x1b")
        return f"\x1bPtmux;{doubled}\x1b\\"
    return f"\x1bP{sequence}\x1b\\" if environment.get("STY") else sequence
