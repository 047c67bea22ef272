"""What the session said, or a rank printed, newest last."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from ...engine.record.events import LogMessage
from ...engine.text.units import clock

MOST_LINES = 300
STYLES = {"info": "", "warning": "$text-warning", "error": "$text-error"}


def session_log(said: Sequence[LogMessage]) -> Content:
    """A line each, with the time since the session started."""
    if not said:
        return Content.styled("nothing said yet; l shows what the ranks print", "$muted")
    newest = list(said)[-MOST_LINES:]
    return Content("\n").join(
        [
            Content.assemble((f"{clock(line.at):>5} ", "$muted"), (line.text, STYLES[line.level]))
            for line in newest
        ]
    )


def rank_log(lines: Sequence[str]) -> Content:
    """What a rank printed."""
    if not any(lines):
        return Content.styled("this rank has printed nothing", "$muted")
    return Content("\n".join(lines[-MOST_LINES:]))
