"""The log of a session and of a rank, newest line last."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from ....engine.record.events import LogMessage
from ....engine.text.units import clock

MOST_LOG_LINES = 300
LEVEL_STYLES = {"info": "", "warning": "$text-warning", "error": "$text-error"}


def session_log(messages: Sequence[LogMessage]) -> Content:
    """Return a line per message, with the time since the session started."""
    if not messages:
        return Content.styled("no messages yet; l shows the output of the ranks", "$muted")
    newest = list(messages)[-MOST_LOG_LINES:]
    return Content("\n").join(
        [
            Content.assemble((f"{clock(line.at):>5} ", "$muted"), (line.text, LEVEL_STYLES[line.level]))
            for line in newest
        ]
    )


def rank_log(lines: Sequence[str]) -> Content:
    """Return the newest lines that a rank printed."""
    if not any(lines):
        return Content.styled("this rank has printed nothing", "$muted")
    return Content("\n".join(lines[-MOST_LOG_LINES:]))
