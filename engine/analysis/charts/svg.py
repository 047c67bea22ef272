"""SVG elements as text: well-formed for any name, with an estimate of the width of text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from unicodedata import combining, east_asian_width
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from ...text.plain import plain
from .style import TEXT

EM = 0.6
"""Width of a character as a share of the font size, above the average of common system fonts."""
CUT = "…"
LEAST_FOR_NAMES, MOST_FOR_NAMES = 60.0, 260.0

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Drawing(Struct, frozen=True):
    """SVG elements drawn from (0, 0)."""

    height: float
    elements: tuple[str, ...]


def element(name: str, *content: str, **attributes: str | float) -> str:
    """Return an SVG element; content is markup.

    In names of attributes `_` becomes `-`, and a trailing `_` is dropped.
    """
    named = {key.rstrip("_").replace("_", "-"): _value(value) for key, value in attributes.items()}
    given = "".join(f" {key}={quoteattr(value)}" for key, value in named.items())
    return f"<{name}{given}>{''.join(content)}</{name}>" if content else f"<{name}{given}/>"


def words(text: str) -> str:
    """Return text as markup on one line; control characters are shown as escapes."""
    return escape(_NO_XML.sub("\ufffd", plain(" ".join(text.split()))))


def label(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    """Return a text element at (x, y) with a CSS class."""
    at = {} if anchor == "start" else {"text_anchor": anchor}
    return element("text", words(text), x=x, y=y, class_=kind, **at)


def group(elements: Sequence[str], x: float = 0, y: float = 0, title: str = "") -> str:
    """Return elements moved by (x, y), with a tooltip if `title` is given."""
    about = [element("title", words(title))] if title else []
    moved = {"transform": f"translate({_value(x)} {_value(y)})"} if x or y else {}
    return element("g", *about, *elements, **moved)


def stack(blocks: Sequence[Drawing], gap: float) -> Drawing:
    """Return drawings one below the other."""
    y, placed = 0.0, []
    for block in blocks:
        placed.append(group(block.elements, y=y))
        y += block.height + gap
    return Drawing(max(0.0, y - gap), tuple(placed))


def width_of(text: str, size: float) -> float:
    """Return the estimated width of a line of text in pixels, at a font size in pixels."""
    return size * sum(_ems(character) for character in text)


def room_for(names: Iterable[str]) -> float:
    """Return the width of a column of names, within limits beyond which names are cut."""
    widest = max((width_of(name, TEXT) for name in names), default=0.0)
    return min(MOST_FOR_NAMES, max(LEAST_FOR_NAMES, widest))


def shorten(text: str, size: float, room: float) -> str:
    """Return text cut to the available width in pixels."""
    text = " ".join(text.split())
    if width_of(text, size) <= room:
        return text
    while text and width_of(text + CUT, size) > room:
        text = text[:-1]
    return text.rstrip() + CUT


def wrap_text(text: str, size: float, room: float) -> list[str]:
    """Return text wrapped to the available width in pixels; words that are too long are cut."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(shorten(word, size, room))
    return lines


def paragraph(text: str, kind: str, size: float, room: float) -> Drawing:
    """Return wrapped text with a line height of 1.45."""
    lines = wrap_text(text, size, room)
    pitch = 1.45 * size
    return Drawing(
        len(lines) * pitch,
        tuple(label(0, (row + 0.75) * pitch, line, kind) for row, line in enumerate(lines)),
    )


def _value(value: str | float) -> str:
    return _NO_XML.sub("\ufffd", value) if isinstance(value, str) else f"{round(value, 1):.8g}"


def _ems(character: str) -> float:
    if combining(character):
        return 0.0
    return 1.0 if east_asian_width(character) in "WF" else EM
