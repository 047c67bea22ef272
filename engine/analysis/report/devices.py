"""How well the devices were used: the report's section about arithmetic, energy and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...text.markdown import section, table
from ...text.units import NOT_AVAILABLE, gib_number, number, percent
from ..results.devices import Compute
from ..results.result import Result

COLUMNS: dict[str, Callable[[Compute], str]] = {
    "GFLOP a step": lambda c: _scaled(c.flop_per_step, 1e9),
    "TFLOP/s a device": lambda c: _scaled(c.flop_per_second_per_device, 1e12),
    "peak measured": lambda c: _scaled(c.peak_flop_per_second, 1e12),
    "by datasheet": lambda c: _scaled(c.datasheet_flop_per_second, 1e12),
    "MFU": lambda c: percent(c.mfu),
    "J a sample": lambda c: number(c.joules_per_sample),
    "samples a J": lambda c: number(c.samples_per_joule),
    "allocated, GiB": lambda c: gib_number(c.peak_allocated_bytes),
    "reserved, GiB": lambda c: gib_number(c.peak_reserved_bytes),
    "headroom": lambda c: percent(c.headroom),
    "allocator retries": lambda c: NOT_AVAILABLE if c.allocator_retries is None else str(c.allocator_retries),
}


def devices_section(found: Sequence[Result]) -> Iterator[str]:
    """A row a run, with the columns of which at least one run has a figure."""
    said = [(result.label, result.compute) for result in found if result.compute is not None]
    shown = [title for title, cell in COLUMNS.items() if any(cell(c) != NOT_AVAILABLE for _, c in said)]
    rows = [[label, *(COLUMNS[title](c) for title in shown)] for label, c in said]
    yield from section(
        "How well the devices were used", table(["run", *shown], rows, left={"run"}) if shown else []
    )


def _scaled(value: float | None, unit: float) -> str:
    return NOT_AVAILABLE if value is None else number(value / unit)
