"""SVG by hand: elements that are well-formed whatever a name says, and how much room their words need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from unicodedata import combining, east_asian_width
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from .style import TEXT

EM = 0.6
"""Width of a character, as a share of the font's size: more than the fonts of systems need on average."""
CUT = "…"
LEAST_FOR_NAMES, MOST_FOR_NAMES = 60.0, 260.0

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Drawing(Struct, frozen=True):
    """Something drawn from (0, 0) on."""

    height: float
    elements: tuple[str, ...]


def element(name: str, *content: str, **attributes: str | float) -> str:
    """An element; of attributes' names `_` becomes `-`, and one at the end goes. Content is markup."""
    named = {key.rstrip("_").replace("_", "-"): _value(value) for key, value in attributes.items()}
    given = "".join(f" {key}={quoteattr(value)}" for key, value in named.items())
    return f"<{name}{given}>{''.join(content)}</{name}>" if content else f"<{name}{given}/>"


def words(text: str) -> str:
    """Text as markup, on one line; characters that XML cannot hold are replaced."""
    return escape(_NO_XML.sub("\ufffd", " ".join(text.split())))


def label(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    """Text at a place, in the look of that class."""
    at = {} if anchor == "start" else {"text_anchor": anchor}
    return element("text", words(text), x=x, y=y, class_=kind, **at)


def group(elements: Sequence[str], x: float = 0, y: float = 0, title: str = "") -> str:
    """Elements moved by (x, y); the title is what a pointer resting on them is told."""
    about = [element("title", words(title))] if title else []
    moved = {"transform": f"translate({_value(x)} {_value(y)})"} if x or y else {}
    return element("g", *about, *elements, **moved)


def stack(blocks: Sequence[Drawing], gap: float) -> Drawing:
    """Blocks below each other."""
    y, placed = 0.0, []
    for block in blocks:
        placed.append(group(block.elements, y=y))
        y += block.height + gap
    return Drawing(max(0.0, y - gap), tuple(placed))


def width_of(text: str, size: float) -> float:
    """The room that a line of text is taken to need, in pixels, at a font's size in pixels."""
    return size * sum(_ems(character) for character in text)


def room_for(names: Iterable[str]) -> float:
    """Width of a column of names; those that need more are cut."""
    widest = max((width_of(name, TEXT) for name in names), default=0.0)
    return min(MOST_FOR_NAMES, max(LEAST_FOR_NAMES, widest))


def shorten(text: str, size: float, room: float) -> str:
    """The text, or as much of it as there is room for."""
    text = " ".join(text.split())
    if width_of(text, size) <= room:
        return text
    while text and width_of(text + CUT, size) > room:
        text = text[:-1]
    return text.rstrip() + CUT


def wrap_text(text: str, size: float, room: float) -> list[str]:
    """The text in lines for which there is room; a word that is too long for one is cut."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(shorten(word, size, room))
    return lines


def paragraph(text: str, kind: str, size: float, room: float) -> Drawing:
    """Wrapped text, its lines 1.45 times as high as the font."""
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
