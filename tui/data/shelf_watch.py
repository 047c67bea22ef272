"""Watching the shelf for changes, for the list of sessions; runs in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ...engine.analysis.sessions.overview import OVER, SessionOverview, ShelfOverview, UnreadableSession
from ...engine.record.shelf import Shelf

WATCH_SECONDS = 1.0
"""Interval between lists."""
FIRST_LIST_SECONDS = 0.1
"""Interval between partial lists while many sessions are read for the first time."""


class ShelfContent(NamedTuple):
    """All that lies on the shelf, newest first."""

    entries: Sequence[SessionOverview] = ()
    unreadable: Sequence[UnreadableSession] = ()


def watch_shelf(
    shelf: Shelf, visible_names: Callable[[], Sequence[str]], leave: threading.Event
) -> Iterator[ShelfContent]:
    """Yield all sessions, again each second until `leave` is set.

    In between, missing results are computed, first those of the sessions named by `visible_names`.
    """
    overview = ShelfOverview(shelf)
    yield from _first_lists(overview)
    while not leave.is_set():
        until = time.monotonic() + WATCH_SECONDS
        entries = list(overview.read())
        yield ShelfContent(entries, overview.unreadable())
        lacking = [entry.name for entry in entries if entry.state in OVER and entry.headline is None]
        while lacking and time.monotonic() < until and not leave.is_set():
            name = next((name for name in visible_names() if name in lacking), lacking[0])
            lacking.remove(name)
            overview.complete(name)
        if not lacking:
            leave.wait(max(0.0, until - time.monotonic()))


def _first_lists(overview: ShelfOverview) -> Iterator[ShelfContent]:
    entries: list[SessionOverview] = []
    shown = time.monotonic()
    for entry in overview.read():
        entries.append(entry)
        if time.monotonic() - shown > FIRST_LIST_SECONDS:
            yield ShelfContent(list(entries), overview.unreadable())
            shown = time.monotonic()
