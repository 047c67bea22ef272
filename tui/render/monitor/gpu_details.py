"""The GPUs in full, for the enlarged panel: a strip of each, their processes, and the history of figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from textual.content import Content

from ....engine.host.facts import GpuSample
from ....engine.record.history import GpuHistory
from ....engine.record.series import Series
from ....engine.text.units import GIB, NOT_AVAILABLE
from ..drawing.bars import column_width, in_columns
from ..drawing.grid import grid, text_columns, wrapped
from ..drawing.sparkline import area_chart
from .gpu_strip import GpuPast, gpu_strips
from .load import fullness_style, heat_style, load_style

LEAST_BLOCK_CELLS = 54
"""Least width of the history of a GPU beside another one's."""
LABEL_CELLS, FIGURE_CELLS = 11, 15
MOST_ROWS = 4
"""Most lines of one curve."""
HOTTEST = 100.0
"""Temperature at the top of its curve, in degrees Celsius."""
PROCESS_IMPORTANCE = (0, 0, 1, 0, 2, 3)


class GpuFigure(NamedTuple):
    """One figure of a GPU and its history."""

    label: str
    series: Series
    figure: str
    top: float | None
    """Value at the top of the curve; None for the greatest so far."""
    style: str = ""


def gpu_details(past: GpuPast, ranks: Mapping[int, str], width: int, height: int) -> Content:
    """Return all that is known of the GPUs in lines of `width` cells; `height` lines are visible at once.

    `ranks`: names of the session's own processes, by process id.
    """
    found = sorted(past.gpus.items())
    samples = [history.last for _, history in found]
    stretch = past.time.words or "the whole session"
    top = [
        gpu_strips(samples, width, len(samples), past),
        _processes(samples, ranks, width),
        wrapped(
            f"History of {stretch}, the newest at the right; [ and ] change the stretch.", width, "$muted"
        ),
    ]
    abreast = max(1, min(len(found), width // LEAST_BLOCK_CELLS))
    cells = column_width(width, abreast)
    figures = {index: list(_figures(history)) for index, history in found}
    used = sum(part.plain.count("\n") + 2 for part in top)
    rows = _rows(height - used, -(-len(found) // abreast), max(map(len, figures.values())))
    blocks = [_block(history, figures[index], past, cells, rows) for index, history in found]
    return Content("\n\n").join([*top, *_side_by_side(blocks, abreast)])


def _rows(room: int, blocks: int, figures: int) -> int:
    """Return the lines of each curve: more than one where all blocks, one below the other, fit the room."""
    for rows in range(MOST_ROWS, 1, -1):
        if blocks * (figures * rows + 2) <= room:
            return rows
    return 1


def _side_by_side(blocks: Sequence[Sequence[Content]], abreast: int) -> Iterator[Content]:
    """Yield rows of so many blocks each, with the GPUs in their order from left to right."""
    for first in range(0, len(blocks), abreast):
        beside = blocks[first : first + abreast]
        # Columns are filled from top to bottom.
        yield in_columns([line for block in beside for line in block], len(beside))


def _block(
    history: GpuHistory, figures: Sequence[GpuFigure], past: GpuPast, cells: int, rows: int
) -> list[Content]:
    sample = history.last
    state, style = ("lost: no longer answers", "$text-error") if sample.lost else (_link(sample), "$muted")
    title = Content.assemble((f"GPU {sample.index}", "bold $text-accent"), (f"  {state}", style))
    lines = [title.truncate(cells, ellipsis=True)]
    room = cells - LABEL_CELLS - FIGURE_CELLS - 1
    for label, series, figure, top, color in figures:
        highest = top or max((bucket.high for bucket in series.buckets()), default=0.0) or 1.0
        chart = area_chart(series, highest, past.now, past.time, room, rows)
        text = Content.assemble(
            (label.ljust(LABEL_CELLS), "$muted"), (figure.rjust(FIGURE_CELLS), color or ""), " "
        )
        blank = Content(" " * text.cell_length)
        for row, line in enumerate(chart):
            lines.append((text if row == 0 else blank) + Content.styled(line, color or "$primary"))
    return [line.pad_right(max(0, cells - line.cell_length)) for line in lines]


def _link(sample: GpuSample) -> str:
    """Return why the GPU is throttled, and its link."""
    parts = [f"throttled: {', '.join(sample.throttle)}"] if sample.throttle else []
    if sample.pcie_generation is not None and sample.pcie_width is not None:
        parts.append(f"PCIe {sample.pcie_generation}.0 x{sample.pcie_width}")
    return ", ".join(parts)


def _figures(history: GpuHistory) -> Iterator[GpuFigure]:
    last = history.last
    load = None if last.utilization is None else last.utilization / 100
    yield GpuFigure("load", history.utilization, _with(last.utilization, "%"), 100.0, load_style(load))
    used, total = last.memory_used_bytes, last.memory_total_bytes
    full = used / total if used is not None and total else None
    memory = _of(
        used, total, " GiB", lambda size: f"{size / GIB:.1f}" if size < 10 * GIB else f"{size / GIB:.0f}"
    )
    yield GpuFigure("memory", history.memory, memory, total, fullness_style(full))
    heat = _with(last.temperature, "°C")
    yield GpuFigure("temperature", history.temperature, heat, HOTTEST, heat_style(last.temperature))
    watts = _of(last.power_watts, last.power_limit_watts, " W")
    yield GpuFigure("power", history.power, watts, last.power_limit_watts)
    clock = _of(last.sm_clock_mhz, last.sm_clock_max_mhz, " MHz")
    held = "$text-warning" if last.throttle else ""
    yield GpuFigure("clock", history.clock, clock, last.sm_clock_max_mhz, held)
    yield GpuFigure("PCIe in", history.pcie_received, _traffic(last.pcie_received), None)
    yield GpuFigure("PCIe out", history.pcie_sent, _traffic(last.pcie_sent), None)
    yield _errors("corrected", history.ecc_corrected, last.ecc_corrected, "$text-warning")
    yield _errors("uncorrected", history.ecc_uncorrected, last.ecc_uncorrected, "$text-error")


def _errors(label: str, series: Series, count: int | None, style: str) -> GpuFigure:
    figure = NOT_AVAILABLE if count is None else f"{count:,} ECC error{'' if count == 1 else 's'}"
    return GpuFigure(label, series, figure, None, style if count else "")


def _with(value: float | None, unit: str) -> str:
    return NOT_AVAILABLE if value is None else f"{value:.0f}{unit}"


def _of(
    value: float | None, limit: float | None, unit: str, write: Callable[[float], str] = "{:.0f}".format
) -> str:
    if value is None:
        return NOT_AVAILABLE
    return f"{write(value)}{unit}" if limit is None else f"{write(value)}/{write(limit)}{unit}"


def _traffic(bytes_a_second: float | None) -> str:
    if bytes_a_second is None:
        return NOT_AVAILABLE
    size, prefix = next(((s, p) for s, p in ((1e9, "G"), (1e6, "M")) if bytes_a_second >= s), (1e3, "k"))
    return f"{bytes_a_second / size:.3g} {prefix}B/s"


def _processes(samples: Sequence[GpuSample], ranks: Mapping[int, str], width: int) -> Content:
    """Return a row per process on a GPU, the session's own by their rank; or why there are none."""
    rows = [
        [
            str(sample.index),
            str(process.pid),
            process.user or NOT_AVAILABLE,
            NOT_AVAILABLE if process.memory_bytes is None else f"{process.memory_bytes / GIB:.1f} GiB",
            _with(process.utilization, "%"),
            " ".join(filter(None, (process.name or NOT_AVAILABLE, ranks.get(process.pid, "")))),
        ]
        for sample in samples
        for process in sample.processes or ()
    ]
    if not rows:
        known = any(sample.processes is not None for sample in samples)
        return Content.styled("no process on any GPU" if known else "processes n/a", "$muted")
    titles = ["GPU", "PID", "user", "memory", "load", "process"]
    return grid(text_columns(titles, rows, PROCESS_IMPORTANCE, left=["user", "process"]), width)
