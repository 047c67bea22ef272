"""The columns of the results table, for every place that shows one; the title of each names its unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ..record.events import Failure
from .results import Result
from .units import gib_number, milliseconds, number, percent, ratio, with_spread


class Column(Struct, frozen=True, kw_only=True):
    """One column: its title, how it shows a result, and how soon it is left out where space is short."""

    title: str
    cell: Callable[[Result], str]
    importance: int
    """The least important column goes first; 0 never goes."""
    is_text: bool = False
    """Aligned left."""


def throughput(result: Result) -> str:
    """Samples/s with their spread."""
    if result.throughput is None and result.parts:
        return "see below"
    return with_spread(result.throughput, result.spread)


MODE = Column(title="mode", cell=lambda result: result.mode, importance=0, is_text=True)
WORKLOAD = Column(title="workload", cell=lambda result: result.workload, importance=0, is_text=True)
BATCH = Column(title="batch", cell=lambda result: f"{result.global_batch:,}", importance=5)
THROUGHPUT = Column(title="samples/s", cell=throughput, importance=0)
ACCURACY = Column(title="accuracy", cell=lambda result: percent(result.test_accuracy), importance=4)
FIXED = (
    Column(title="devices", cell=lambda result: str(result.devices), importance=1),
    BATCH,
    THROUGHPUT,
    Column(title="per device", cell=lambda result: number(result.throughput_per_device), importance=8),
    Column(title="step, ms", cell=lambda result: milliseconds(result.step_seconds), importance=6),
    Column(title="speedup", cell=lambda result: ratio(result.speedup), importance=1),
    Column(title="efficiency", cell=lambda result: percent(result.efficiency), importance=2),
    Column(title="peak, GiB", cell=lambda result: gib_number(result.peak_memory_bytes), importance=7),
)
PLACE_ALWAYS_GIVEN = ("mode", "workload", "devices", "batch")
"""Columns that a run without figures has too."""


def columns(found: Sequence[Result]) -> list[Column]:
    """The columns that say something about these results, in their order."""
    chosen = [WORKLOAD] if len({result.workload for result in found}) > 1 else []
    chosen += [MODE, *FIXED]
    rows = {(result.workload, result.mode, result.devices) for result in found}
    if len(rows) < len(found):  # only the batch tells some of them apart
        chosen = [replace(column, importance=0) if column is BATCH else column for column in chosen]
    return [*chosen, ACCURACY] if any(result.test_accuracy is not None for result in found) else chosen


def cell(column: Column, result: Result) -> str:
    """What a column shows of a result: its figures, or in their place what became of the run."""
    if column.title in PLACE_ALWAYS_GIVEN or has_figures(result):
        return " ".join(column.cell(result).split())
    return result.state if column is THROUGHPUT else ""


def has_figures(result: Result) -> bool:
    """Whether anything was measured of the run."""
    return result.windows > 0


def remarks(result: Result) -> list[str]:
    """What must be said under the table about a result, each a sentence without the run's name."""
    said = []
    if result.failure is not None:
        said.append(_failure(result.failure))
    elif result.state in ("failed", "skipped", "stopped") and (result.reason or not has_figures(result)):
        prefix = "" if result.reason.startswith(result.state) else f"{result.state}: "
        said.append(f"{prefix}{result.reason}" if result.reason else result.state)
    return [*said, *result.notes]


def _failure(failure: Failure) -> str:
    where = "" if failure.rank is None else f" on rank {failure.rank}"
    log = f" (log: {failure.log})" if failure.log else ""
    return f"failed ({failure.kind}{where}): {failure.message}{log}"


def side_by_side(result: Result) -> list[str]:
    """The trainings of a concurrent run, and what they gain, a line each."""
    lines = []
    for part in result.parts:
        together = part.side_by_side
        rate = with_spread(together.throughput, together.spread)
        line = f"{part.workload} on {part.device}: {rate} samples/s, {together.windows} windows"
        if part.alone is not None and together.throughput is not None:
            line += f", {percent(together.throughput / part.alone)} of its {number(part.alone)} alone"
        if part.learnt is not None:
            line += f"; test accuracy {percent(part.learnt.test_accuracy)} after {part.learnt.epochs} epochs"
        lines.append(line)
    if result.concurrency_gain is not None:
        lines.append(
            f"concurrency gain {ratio(result.concurrency_gain)} of at most {result.devices}x: the sum of the "
            "times alone over the longest time side by side, each training the same number of samples"
        )
    return lines
