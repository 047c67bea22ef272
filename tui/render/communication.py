"""Tables of what communication costs each run, and of the bandwidth its links reach."""

from __future__ import annotations

from textual.content import Content

from ...engine.analysis.analysis import Analysis
from ...engine.analysis.report.communication import communication_remarks, gigabytes_per_second, sync_cost
from ...engine.analysis.results.communication import Communication
from ...engine.record.session import Session
from ...engine.text.grouping import group_labels
from ...engine.text.units import milliseconds, number, percent
from .drawing.grid import grid, text_columns, wrapped
from .phases import why_none

COSTS = ("run", "MB per step", "sync cost, ms (95%)", "of a step", "predicted, ms")
TRANSFERS = ("run", "exposed, ms", "of a step", "overlap", "busbw, GB/s", "reachable", "utilisation")


def communication_table(analysis: Analysis, is_over: bool, width: int) -> Content:
    """Return a table of costs and one of transfers, a row per run, with remarks; or why there are none.

    `is_over`: whether the session has ended.
    """
    results = analysis.results
    found = [(result.label, result.communication) for result in results if result.communication is not None]
    measured = [(label, c) for label, c in found if c.buckets or c.sync_cost or c.curves or c.bytes_per_step]
    blocks = []
    if measured:
        costs = [_costs(*one) for one in measured]
        blocks.append(grid(text_columns(COSTS, costs, (0, 0, 0, 2, 1), left=("run",)), width))
    else:
        blocks.append(wrapped(_why_none(analysis.session, is_over), width, "$muted"))
    transfers = [_transfers(*one) for one in measured if one[1].buckets or one[1].curves]
    if transfers:
        blocks.append(grid(text_columns(TRANSFERS, transfers, (0, 0, 3, 0, 0, 2, 0), left=("run",)), width))
    noted = group_labels((label, text) for label, c in found for text in communication_remarks(c))
    notes = [wrapped(text, width, lead=f"{whose}: ") for whose, text in noted]
    if notes:
        blocks.append(Content("\n").join(notes))
    return Content("\n\n").join(blocks)


def _why_none(session: Session, is_over: bool) -> str:
    specs = [run.spec for run in session.runs.values() if run.spec.skip is None]
    communicating = [
        spec for spec in specs if spec.mode not in ("single", "concurrent") and spec.device_count > 1
    ]
    if not communicating:
        return "Nothing to measure: no run here has devices that communicate."
    return why_none(session, is_over)


def _costs(label: str, c: Communication) -> tuple[str, ...]:
    size = number(None if c.bytes_per_step is None else c.bytes_per_step / 1e6)
    derived = " (derived)" if c.bytes_provenance == "derived" else ""
    share = "" if c.below_noise else percent(c.sync_share)
    return label, size + derived, sync_cost(c), share, milliseconds(c.predicted_seconds)


def _transfers(label: str, c: Communication) -> tuple[str, ...]:
    best = max((curve.best_busbw for curve in c.curves.values()), default=None)
    return (
        label,
        milliseconds(c.exposed_seconds),
        percent(c.exposed_share),
        percent(c.overlap),
        gigabytes_per_second(c.busbw),
        gigabytes_per_second(best),
        percent(c.utilisation),
    )
