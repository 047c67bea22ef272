"""The app on a terminal of sixteen colours: by their hues, since the nearest of each soft colour is grey."""

from __future__ import annotations

from colorsys import rgb_to_hsv
from functools import lru_cache

from rich.color import Color
from rich.style import Style

BLACK, GREY, DARK_GREY, WHITE = 0, 7, 8, 15
ON_DARK = (9, 11, 10, 14, 12, 13)
"""Red, yellow, green, cyan, blue and magenta, as terminals number the bright ones."""
ON_LIGHT = (1, 5, 2, 4, 4, 5)
"""What of the others can be read on white, where yellow and cyan cannot."""
ON_GREY = {GREY: BLACK, DARK_GREY: WHITE}
LEAST_HUE = 0.12
"""Saturation below which a colour is a grey."""

Greys = tuple[tuple[float, int], ...]

TEXT: Greys = ((0.8, WHITE), (0.5, GREY), (0.25, DARK_GREY), (0.0, BLACK))
BEHIND: Greys = ((0.92, WHITE), (0.4, GREY), (0.15, DARK_GREY), (0.0, BLACK))
"""Greys of text and of what is behind it, by the value from which on they are taken."""


@lru_cache(maxsize=1024)
def in_sixteen(style: Style) -> Style:
    """The style in colours of which the text can be read on what is behind it."""
    behind = BLACK if style.bgcolor is None else _grey(style.bgcolor, BEHIND)
    is_light = behind in (GREY, WHITE)
    hue = None if style.color is None else _hue(style.color)
    if hue is None:
        text = WHITE if style.color is None else _grey(style.color, TEXT)
        if behind in ON_GREY or text == behind:
            text = {**ON_GREY, BLACK: DARK_GREY, WHITE: GREY}[behind]
    else:
        text = (ON_LIGHT if is_light else ON_DARK)[hue]
        if behind in ON_GREY:  # no colour can be read there, but black or white on the colour
            text, behind = (WHITE if is_light else BLACK), text
    return style + Style.from_color(Color.from_ansi(text), Color.from_ansi(behind))


def _hue(color: Color) -> int | None:
    """Which sixth of the circle of colours it is in; None for a grey."""
    hue, saturation, value = _hsv(color)
    return None if saturation < LEAST_HUE or value < TEXT[-2][0] else round(6 * hue) % 6


def _grey(color: Color, greys: Greys) -> int:
    value = _hsv(color)[2]
    return next(number for least, number in greys if value >= least)


def _hsv(color: Color) -> tuple[float, float, float]:
    red, green, blue = color.get_truecolor()
    return rgb_to_hsv(red / 255, green / 255, blue / 255)
