"""The legend of a chart."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from .style import SMALL
from .svg import Drawing, group, label, width_of

SAMPLE, GAP, PITCH = 14.0, 16.0, 20.0


class LegendEntry(Struct, frozen=True):
    """The meaning of one mark."""

    text: str
    sample: str
    """The mark as SVG, from x = 0 to SAMPLE pixels, centred at y = 0."""


def legend(entries: Sequence[LegendEntry], width: float) -> Drawing:
    """Draw the entries side by side, on as many lines as they need."""
    x = y = 0.0
    drawn = []
    for entry in entries:
        room = SAMPLE + 6 + width_of(entry.text, SMALL)
        if x and x + room > width:
            x, y = 0.0, y + PITCH
        drawn.append(group([entry.sample], x, y + PITCH / 2))
        drawn.append(label(x + SAMPLE + 6, y + PITCH / 2 + 4, entry.text, "muted small"))
        x += room + GAP
    return Drawing(y + PITCH if drawn else 0.0, tuple(drawn))
