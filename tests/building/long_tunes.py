"""A tune of many attempts, as the events that would have recorded it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Attempt, Remedy
from gpubench_tui.engine.record.events import (
    Event,
    Failure,
    RunFinished,
    RunsAdded,
    RunStarted,
    SessionStarted,
)
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from msgspec.structs import replace

from .tunes import measured_at, opened

RATE = 1000.0
PAIRS = 4
"""Pairs that decide on an attempt whose runs hardly scatter."""
ATTEMPTS: tuple[tuple[str, dict[str, object], float | None], ...] = (
    ("resident data", {"placement": "device"}, 1.62),
    ("more loader workers", {"loader_workers": 8}, 0.97),
    ("bf16 gradients", {"compress_gradients": "bf16"}, 1.21),
    ("channels last", {"channels_last": True}, 0.999),
    ("compile", {"compile": True}, None),
    ("static graph", {"static_graph": True}, 1.001),
    ("bucket view of gradients", {"gradient_as_bucket_view": True}, 1.04),
    ("larger buckets of gradients", {"bucket_mb": 100}, 0.98),
    ("smaller buckets of gradients", {"bucket_mb": 5}, 0.91),
    ("more prefetching", {"prefetch": 8}, 1.0),
    ("accumulation of two batches", {"accumulate": 2}, 1.12),
    ("fused optimizer", {"weight_decay": 0.0}, 1.03),
)
"""Remedies with their gains, None where it fails; the last one is still measured."""


def long_tune() -> list[Event]:
    """A tune that has tried twelve remedies, of which it measures the last."""
    begin = opened(allow=("numerics", "recipe", "memory"))
    started = begin[0]
    assert isinstance(started, SessionStarted)
    (start,) = started.plan.runs
    events = [*begin, *measured_at(start, RATE, 0.0)]
    rate = RATE
    for number, (name, changes, gain) in enumerate(ATTEMPTS, 1):
        attempt = Attempt(
            number=number,
            purpose="remedy",
            diagnosis="input-bound",
            remedy=Remedy(name=name, changes=changes),
        )
        pairs = 1 if gain is None else 2 if number == len(ATTEMPTS) else PAIRS
        runs = list(_pairs(start, attempt, pairs))
        events.append(RunsAdded(at=events[-1].at, runs=tuple(runs)))
        for place, run in enumerate(runs):
            assert run.attempt is not None
            if not run.attempt.changed or gain is not None:
                scatter = 1 + 0.001 * (place % 3 - 1)
                faster = (gain or 1.0) if run.attempt.changed else 1.0
                events += measured_at(run, rate * faster * scatter, events[-1].at)
                continue
            failure = Failure("out of memory", 0, "CUDA ran out of memory at batch 64", "logs/rank0.log")
            events.append(RunStarted(at=events[-1].at, run=run.id))
            events.append(RunFinished(at=events[-1].at + 5, run=run.id, outcome="failed", failure=failure))
        if gain is not None and gain > 1.02:
            rate *= gain
    return events


def _pairs(start: RunSpec, attempt: Attempt, pairs: int) -> Iterator[RunSpec]:
    for pair in range(1, pairs + 1):
        for changed, side in ((False, "without"), (True, "with")):
            name = f"a{attempt.number:02d}-{side}"
            yield replace(
                start,
                id=f"{name}-r{pair}",
                configuration=f"{name}-r1",
                repeat=pair,
                label=f"{start.label} ({side} it), repeat {pair}",
                attempt=replace(attempt, changed=changed),
            )


def shelve_events(root: Path, events: list[Event], name: str) -> SessionFolder:
    """The folder of a session with these events."""
    begin = events[0]
    assert isinstance(begin, SessionStarted)
    folder = Shelf(root).create(name, begin.plan, begin.host, "")
    journal = Journal(folder.journal)
    for event in events:
        journal.append(event)
    journal.close()
    return folder
