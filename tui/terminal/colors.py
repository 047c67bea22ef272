"""The app on a terminal that cannot show every colour: the nearest that it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as TextualColor
from textual.filter import LineFilter

LEVELS = (0, 95, 135, 175, 215, 255)
"""Of red, green and blue in the cube of colours that begins at number 16."""
WHITE = Style(color="#ffffff")
CUBE, GREYS = 16, 232
DARKEST_GREY, GREY_STEP, GREY_COUNT = 8, 10, 24


class FewColors(LineFilter):
    """Replaces the colours of every style, just before it is sent."""

    def __init__(self, restyled: Callable[[Style], Style]) -> None:
        super().__init__()
        self._restyled = restyled

    def apply(self, segments: list[Segment], background: TextualColor) -> list[Segment]:  # noqa: ARG002
        """The same segments in other colours."""
        return [
            Segment(text, style and self._restyled(_blanked(style) if text.isspace() else style), control)
            for text, style, control in segments
        ]


def _blanked(style: Style) -> Style:
    """The style without a colour of text, which might be taken for that of what is behind the blanks."""
    return style if style.reverse else style + WHITE


@lru_cache(maxsize=1024)
def in_256(style: Style) -> Style:
    """The style in the nearest of 256 colours: Rich, left to itself, makes a bluish dark grey navy."""
    text, behind = (color and Color.from_ansi(_nearest(color)) for color in (style.color, style.bgcolor))
    return style + Style.from_color(text, behind)


def _nearest(color: Color) -> int:
    wanted = tuple(color.get_truecolor())
    steps = [min(range(len(LEVELS)), key=lambda step: abs(LEVELS[step] - part)) for part in wanted]
    grey = round((sum(wanted) / 3 - DARKEST_GREY) / GREY_STEP)
    grey = max(0, min(GREY_COUNT - 1, grey))
    of_cube = [LEVELS[step] for step in steps]
    of_greys = [DARKEST_GREY + GREY_STEP * grey] * 3
    if _distance(wanted, of_greys) <= _distance(wanted, of_cube):
        return GREYS + grey
    red, green, blue = steps
    return CUBE + 36 * red + 6 * green + blue


def _distance(one: Sequence[int], other: Sequence[int]) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
