"""What the terminal can show, and what to do when it is gone."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

LEAVE_SECONDS = 2.0
"""How long the app may take to leave in order once it was told to."""

_PLAIN = {
    **dict.fromkeys("─━═▔‾–—−", "-"),
    **dict.fromkeys("│┃║▏▎▍▌▊▉▕▐", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝┏┓┗┛", "+"),
    **dict(zip("▁▂▃▄▅▆▇█", "_.-=+*%#", strict=True)),
    **dict(zip("×±°µ·•●✓✗▶■▲▼…→←↑↓⏎", "x~ u.**+x>#^v.><^v>", strict=True)),
}
"""Stand-ins of one cell each for the characters that this program and Textual draw with."""


def shows_unicode(environment: Mapping[str, str], encoding: str | None) -> bool:
    """Whether the terminal is taken to show Unicode: no, where a locale without UTF-8 was chosen.

    In the C locale Python switches to UTF-8 by itself and says so in LC_CTYPE, which tells nothing of the
    terminal; without any locale the terminal is trusted.
    """
    if encoding is None or encoding.lower().replace("-", "") != "utf8":
        return False
    coerced = environment.get("LC_CTYPE") == "C.UTF-8" and environment.get("LANG") in ("C", "POSIX")
    names = ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG")
    chosen = next((environment[name] for name in names if environment.get(name)), None)
    return chosen is None or chosen.lower().replace("-", "").endswith("utf8")


def terminal_shows_unicode() -> bool:
    """Whether the terminal of this process is taken to show Unicode."""
    return shows_unicode(os.environ, sys.__stdout__.encoding if sys.__stdout__ else None)


def filters_for(unicode: bool, color_system: str | None, no_color: bool = False) -> list[LineFilter]:
    """What a terminal needs that shows less than others; the names of colour systems are Rich's."""
    filters: list[LineFilter] = [] if unicode else [AsciiFilter()]
    if no_color:
        from ..no_colors import without_colors
        from .colors import FewColors

        filters.append(FewColors(without_colors))
    elif color_system in ("standard", "256"):
        from ..sixteen import in_sixteen
        from .colors import FewColors, in_256

        filters.append(FewColors(in_sixteen if color_system == "standard" else in_256))
    return filters


class AsciiFilter(LineFilter):
    """Replaces every character that a plain terminal cannot show, just before it is sent."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """The same segments in ASCII, cell by cell."""
        return [
            segment
            if segment.text.isascii()
            else Segment(to_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def to_ascii(text: str) -> str:
    """The text in ASCII, each character replaced by one."""
    return "".join(character if character.isascii() else _PLAIN.get(character, "?") for character in text)


def leave_when_told(leave: Callable[[int], None]) -> None:
    """Call `leave` with the status in the running loop when told by SIGTERM or SIGHUP; be gone soon after.

    A terminal that takes no more keeps the loop from running, and there is nothing to restore for it then.
    """
    loop = asyncio.get_running_loop()

    def told(number: int, _: object) -> None:
        loop.call_soon_threadsafe(leave, 128 + number)
        threading.Thread(target=give_up, args=(128 + number,), daemon=True).start()

    def give_up(status: int) -> None:
        time.sleep(LEAVE_SECONDS)
        os._exit(status)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, told)


def leave_when_hung_up(file: int) -> None:
    """End this process at once when the terminal behind `file` is gone.

    Nothing is left to restore then, and nothing is lost: the session is another process. Textual would wait
    for a writer that is gone, or read an end of file for ever.
    """

    def wait() -> None:
        poll = select.poll()
        poll.register(file, 0)
        while True:
            for _, events in poll.poll():
                if events & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                    os._exit(128 + signal.SIGHUP)

    threading.Thread(target=wait, name="hang-up", daemon=True).start()
