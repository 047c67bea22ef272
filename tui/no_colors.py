"""The app where no colours are wanted: the terminal's own two, swapped where something stands out."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color
from rich.style import Style

STANDS_OUT = (0.14, 0.9)
"""Brightness, from 0 to 1, of what lies behind a headline or a row under the cursor; a page's is beyond."""
OWN = Color.default()


@lru_cache(maxsize=1024)
def without_colors(style: Style) -> Style:
    """The style with all that it has beside colours."""
    behind = style.color if style.reverse else style.bgcolor
    low, high = STANDS_OUT
    swapped = behind is not None and not behind.is_default and low < _brightness(behind) < high
    return style + Style(color=OWN, bgcolor=OWN, reverse=swapped)


def _brightness(color: Color) -> float:
    red, green, blue = color.get_truecolor()
    return (0.3 * red + 0.59 * green + 0.11 * blue) / 255
