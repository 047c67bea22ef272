"""Looking at the shelf again and again, for a list of its sessions; runs in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from ...engine.analysis.sessions.overview import OVER, SessionOverview, ShelfOverview
from ...engine.record.shelf import Shelf

LOOK_SECONDS = 1.0
FIRST_LOOK_SECONDS = 0.1
"""While many sessions are looked at for the first time, those seen so far come so often."""


def watch_shelf(
    shelf: Shelf, visible_names: Callable[[], Sequence[str]], leave: threading.Event
) -> Iterator[list[SessionOverview]]:
    """All sessions, newest first, as they are now; again each second until told to leave.

    Meanwhile results are worked out that are not known: of those `visible_names`, by name, before the others.
    """
    overview = ShelfOverview(shelf)
    yield from _first_look(overview)
    while not leave.is_set():
        until = time.monotonic() + LOOK_SECONDS
        entries = list(overview.read())
        yield entries
        lacking = [entry.name for entry in entries if entry.state in OVER and entry.headline is None]
        while lacking and time.monotonic() < until and not leave.is_set():
            name = next((name for name in visible_names() if name in lacking), lacking[0])
            lacking.remove(name)
            overview.complete(name)
        if not lacking:
            leave.wait(max(0.0, until - time.monotonic()))


def _first_look(overview: ShelfOverview) -> Iterator[list[SessionOverview]]:
    entries: list[SessionOverview] = []
    shown = time.monotonic()
    for entry in overview.read():
        entries.append(entry)
        if time.monotonic() - shown > FIRST_LOOK_SECONDS:
            yield list(entries)
            shown = time.monotonic()
