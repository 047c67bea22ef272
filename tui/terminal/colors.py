"""Output for terminals with 256, 16 or no colours: the nearest colours they have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from colorsys import rgb_to_hsv
from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as TextualColor
from textual.filter import LineFilter

LEVELS = (0, 95, 135, 175, 215, 255)
"""Values of red, green and blue in the colour cube, which begins at number 16."""
WHITE = Style(color="#ffffff")
CUBE, GREYS = 16, 232
DARKEST_GREY, GREY_STEP, GREY_COUNT = 8, 10, 24


class FewColors(LineFilter):
    """Replaces the colours of every style just before it is sent."""

    def __init__(self, reduce: Callable[[Style], Style]) -> None:
        super().__init__()
        self._reduce = reduce

    def apply(self, segments: list[Segment], background: TextualColor) -> list[Segment]:  # noqa: ARG002
        """Return the segments with their colours replaced."""
        return [
            Segment(text, style and self._reduce(_blanked(style) if text.isspace() else style), control)
            for text, style, control in segments
        ]


def _blanked(style: Style) -> Style:
    """Return the style of blanks, its text white: `in_sixteen` may turn a text colour into the background."""
    return style if style.reverse else style + WHITE


@lru_cache(maxsize=1024)
def in_256(style: Style) -> Style:
    """Return the style in the nearest of 256 colours; Rich's own choice turns bluish dark greys into navy."""
    text, background = (color and Color.from_ansi(_nearest(color)) for color in (style.color, style.bgcolor))
    return style + Style.from_color(text, background)


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


BLACK, GREY, DARK_GREY, BRIGHT_WHITE = 0, 7, 8, 15
ON_DARK = (9, 11, 10, 14, 12, 13)
"""Bright red, yellow, green, cyan, blue and magenta, by their terminal numbers."""
ON_LIGHT = (1, 5, 2, 4, 4, 5)
"""Readable replacements on white, where yellow and cyan are not."""
ON_GREY = {GREY: BLACK, DARK_GREY: BRIGHT_WHITE}
"""Text colours on grey backgrounds."""
MINIMUM_SATURATION = 0.12
"""Saturation below which a colour counts as grey."""

Greys = tuple[tuple[float, int], ...]
"""Pairs of a minimum brightness, from 0 to 1, and the grey to use from it on."""

TEXT_GREYS: Greys = ((0.8, BRIGHT_WHITE), (0.5, GREY), (0.25, DARK_GREY), (0.0, BLACK))
BACKGROUND_GREYS: Greys = ((0.92, BRIGHT_WHITE), (0.4, GREY), (0.15, DARK_GREY), (0.0, BLACK))


@lru_cache(maxsize=1024)
def in_sixteen(style: Style) -> Style:
    """Return the style in 16 colours, its text readable on its background."""
    background = BLACK if style.bgcolor is None else _grey(style.bgcolor, BACKGROUND_GREYS)
    is_light = background in (GREY, BRIGHT_WHITE)
    hue = None if style.color is None else _hue(style.color)
    if hue is None:
        text = BRIGHT_WHITE if style.color is None else _grey(style.color, TEXT_GREYS)
        if background in ON_GREY or text == background:
            text = {**ON_GREY, BLACK: DARK_GREY, BRIGHT_WHITE: GREY}[background]
    else:
        text = (ON_LIGHT if is_light else ON_DARK)[hue]
        if background in ON_GREY:  # no hue is readable on grey; use it as background instead
            text, background = (BRIGHT_WHITE if is_light else BLACK), text
    return style + Style.from_color(Color.from_ansi(text), Color.from_ansi(background))


def _hue(color: Color) -> int | None:
    """Return the sixth of the colour wheel that a colour is in, from 0 for red; None for a grey."""
    hue, saturation, value = _hsv(color)
    return None if saturation < MINIMUM_SATURATION or value < TEXT_GREYS[-2][0] else round(6 * hue) % 6


def _grey(color: Color, greys: Greys) -> int:
    value = _hsv(color)[2]
    return next(number for least, number in greys if value >= least)


def _hsv(color: Color) -> tuple[float, float, float]:
    red, green, blue = color.get_truecolor()
    return rgb_to_hsv(red / 255, green / 255, blue / 255)


HIGHLIGHT_BRIGHTNESS = (0.14, 0.9)
"""Brightness range, from 0 to 1, of highlighted backgrounds; plain backgrounds lie outside it."""

DEFAULT = Color.default()


@lru_cache(maxsize=1024)
def without_colors(style: Style) -> Style:
    """Return the style without colours; a highlighted background becomes reverse video."""
    background = style.color if style.reverse else style.bgcolor
    low, high = HIGHLIGHT_BRIGHTNESS
    swapped = background is not None and not background.is_default and low < _brightness(background) < high
    return style + Style(color=DEFAULT, bgcolor=DEFAULT, reverse=swapped)


def _brightness(color: Color) -> float:
    red, green, blue = color.get_truecolor()
    return (0.3 * red + 0.59 * green + 0.11 * blue) / 255
