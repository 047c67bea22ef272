"""What the session said, newest last."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from ...engine.analysis.units import clock
from ...engine.record.events import Said

MOST_LINES = 300
STYLES = {"info": "", "warning": "$text-warning", "error": "$text-error"}


def log_lines(said: Sequence[Said]) -> Content:
    """A line each, with the time since the session started."""
    if not said:
        return Content.styled("nothing said yet", "$muted")
    newest = list(said)[-MOST_LINES:]
    return Content("\n").join(
        [
            Content.assemble((f"{clock(line.at):>5} ", "$muted"), (line.text, STYLES[line.level]))
            for line in newest
        ]
    )
