"""Reading a picture back: where its rows, bars and words are, in pixels of the whole picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from unicodedata import east_asian_width
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

SVG = "{http://www.w3.org/2000/svg}"
SIZES = {"heading": 20, "sentence": 15, "subtitle": 14, "small": 11}


class Text(NamedTuple):
    """Words and the box that they are taken to need."""

    words: str
    left: float
    right: float
    top: float
    bottom: float

    def overlaps(self, other: Text) -> bool:
        """Whether the boxes share more than an edge."""
        beside = self.right <= other.left + 0.2 or other.right <= self.left + 0.2
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)


class Picture:
    """An SVG as one sees it."""

    def __init__(self, svg: str) -> None:
        self.root = ElementTree.fromstring(svg)
        _, _, self.width, self.height = map(float, self.root.attrib["viewBox"].split())

    @property
    def texts(self) -> list[Text]:
        """All words that are drawn."""
        return [_text(element, x, y) for element, x, y in _placed(self.root) if element.tag == f"{SVG}text"]

    def rows(self, name: str) -> list[Element]:
        """The groups whose title begins with that name."""
        titled = ((group, group.find(f"{SVG}title")) for group in self.root.iter(f"{SVG}g"))
        return [group for group, title in titled if title is not None and (title.text or "").startswith(name)]


def boxes(row: Element, kind: str) -> list[tuple[float, float]]:
    """Left end and width of the rectangles of that class."""
    found = (box for box in row.iter(f"{SVG}rect") if box.attrib["class"] == kind)
    return [(float(box.attrib.get("x", 0)), float(box.attrib["width"])) for box in found]


def whiskers(row: Element) -> list[tuple[float, float]]:
    """From where to where the intervals of a row go."""
    found = (path.attrib["d"] for path in row.iter(f"{SVG}path") if path.attrib["class"] == "whisker")
    return [(float(m[1]), float(m[2])) for d in found if (m := re.match(r"M([\d.]+) [\d.]+H([\d.]+)", d))]


def marks(row: Element) -> list[float]:
    """Where the marks of the ideal are."""
    return [float(line.attrib["x1"]) for line in row.iter(f"{SVG}line") if line.attrib["class"] == "ideal"]


def words(row: Element) -> list[str]:
    """What is written in a row."""
    return [text.text or "" for text in row.iter(f"{SVG}text")]


def _placed(element: Element, x: float = 0.0, y: float = 0.0) -> Iterator[tuple[Element, float, float]]:
    moved = re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", element.attrib.get("transform", ""))
    if moved:
        x, y = x + float(moved[1]), y + float(moved[2])
    yield element, x, y
    for child in element:
        yield from _placed(child, x, y)


def _text(element: Element, x: float, y: float) -> Text:
    words = element.text or ""
    kinds = element.attrib["class"].split()
    size = next((SIZES[kind] for kind in kinds if kind in SIZES), 13)
    width = sum(size * (1.0 if east_asian_width(character) in "WF" else 0.6) for character in words)
    x, y = x + float(element.attrib["x"]), y + float(element.attrib["y"])
    before = {"start": 0.0, "middle": 0.5, "end": 1.0}[element.attrib.get("text-anchor", "start")]
    return Text(words, x - before * width, x + (1 - before) * width, y - 0.75 * size, y + 0.2 * size)
