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
        """Return the segments in ASCII, cell by cell; `+/-` takes its cells from the blanks nearby."""
        return [
            segment
            if segment.text.isascii()
            else Segment(to_ascii(segment.text), segment.style, segment.control)
            for segment in _with_plus_minus(segments)
        ]


def _with_plus_minus(segments: list[Segment]) -> list[Segment]:
    """Return a line with `+/-` in place of each plus-minus sign for which blanks make room."""
    if not any("±" in segment.text for segment in segments):
        return segments
    cells = [
        Segment(one, segment.style) for segment in segments if not segment.control for one in segment.text
    ]
    place = 0
    while place < len(cells):
        room = _blanks_nearby(cells, place) if cells[place].text == "±" else None
        if room is not None:
            style = cells[place].style
            cells[place : place + 1] = [Segment(one, style) for one in "+/-"]
            first = room + 2 if room > place else room
            del cells[first : first + 2]
            place += 0 if room < place else 2
        place += 1
    return [*(segment for segment in segments if segment.control), *Segment.simplify(cells)]


def _blanks_nearby(cells: list[Segment], place: int) -> int | None:
    """Return where two blanks can be spared: in a gap of three after a place, or else before it."""
    text = "".join(cell.text if len(cell.text) == 1 else "?" for cell in cells)
    after = text.find("   ", place)
    if after >= 0:
        return after
    before = text.rfind("   ", 0, place)
    return before if before >= 0 else None


def to_ascii(text: str) -> str:
    """Return the text in ASCII, each character replaced by one."""
    return "".join(
        character if character.isascii() else _REPLACEMENTS.get(character, "?") for character in text
    )
