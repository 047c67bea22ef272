"""Sessions of one preset on different days, with known figures."""

from __future__ import annotations

from gpubench_tui.engine.host.facts import Host
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.record.events import Event, SessionFinished, SessionStarted
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import Session
from gpubench_tui.engine.record.shelf import Shelf
from msgspec.structs import replace

from .sessions import HOST, measured, opening, session, spec

STEADY = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98]
SINGLE, DDP = spec("single", "single"), spec("ddp", "ddp", 2)
DAY = 86400.0
BEGAN = 1.7e9


def of_day(day: float, host: Host, *specs: RunSpec) -> list[Event]:
    started, *skipped = opening(*specs, host=host)
    assert isinstance(started, SessionStarted)
    return [replace(started, unix_time=BEGAN + day * DAY, session=f"demo-{day:g}"), *skipped]


def dated(day: float, factor: float = 1.0, host: Host = HOST, *specs: RunSpec) -> Session:
    """A session of that day whose steps take so many times as long."""
    return session(*events_of(day, factor, host, *specs))


def events_of(day: float, factor: float, host: Host, *specs: RunSpec) -> list[list[Event]]:
    runs = specs or (SINGLE,)
    return [
        of_day(day, host, *runs),
        *(measured(each.id, [[factor * one for one in STEADY]] * each.world_size) for each in runs),
    ]


def shelve_dated(
    shelf: Shelf, day: float, factor: float, host: Host = HOST, preset: str = "demo", *specs: RunSpec
) -> None:
    """Put such a session on the shelf."""
    parts = events_of(day, factor, host, *specs)
    started = parts[0][0]
    assert isinstance(started, SessionStarted)
    plan = replace(started.plan, preset=preset)
    folder = shelf.create(f"{preset}-{host.name}-{day:g}", plan, host, "")
    journal = Journal(folder.journal)
    events = [event for part in parts for event in part]
    for event in [replace(started, plan=plan), *events[1:]]:
        journal.append(event)
    journal.append(SessionFinished(at=60.0, outcome="finished"))
    journal.close()
