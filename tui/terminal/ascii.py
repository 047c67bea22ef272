"""Output for terminals that show only ASCII."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_REPLACEMENTS = {
    **dict.fromkeys("─━═▔‾–—−", "-"),
    **dict.fromkeys("│┃║▏▎▍▌▊▉▕▐", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝┏┓┗┛", "+"),
    **dict(zip("▁▂▃▄▅▆▇█", "_.-=+*%#", strict=True)),
    **dict(zip("×±°µ·•●✓✗▶■▲▼…→←↑↓⏎", "x~ u.**+x>#^v.><^v>", strict=True)),
}
"""Replacements, one cell each, for the characters that this program and Textual draw with."""


class AsciiFilter(LineFilter):
    """Replaces every non-ASCII character just before it is sent."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """Return the segments in ASCII, cell by cell."""
        return [
            segment
            if segment.text.isascii()
            else Segment(to_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def to_ascii(text: str) -> str:
    """Return the text in ASCII, each character replaced by one."""
    return "".join(
        character if character.isascii() else _REPLACEMENTS.get(character, "?") for character in text
    )
