"""Speedups as bars, a bar per run, with the ideal marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.content import Content

from ...engine.analysis.results.result import Result
from ...engine.text.tables import fit_columns
from ...engine.text.units import interval, percent, ratio
from .drawing.grid import GridColumn, grid, shortened, wrapped

WIDEST_SPEEDUP_BAR = 80
IDEAL = "│"
THIRD = 3
"""The bar gets at least a third of the width, a run's name at most a third."""


class SpeedupBar(NamedTuple):
    """The bar of one run."""

    label: str
    value: float
    ideal: float | None
    """Speedup that the devices could give; None if more than the devices differs."""
    interval: tuple[float, float] | None = None
    is_baseline: bool = False


def speedup_bars(results: Sequence[Result], width: int) -> Content:
    """Return bars of the speedups and of the concurrency gains; or why there are none."""
    speedups, gains = list(_speedups(results)), list(_gains(results))
    blocks = []
    if any(not bar.is_baseline for bar in speedups):
        blocks.append(_bars("speedup", speedups, width))
    if gains:
        blocks.append(_bars("concurrency gain", gains, width))
    if not blocks:
        goes_on = any(result.state in ("waiting", "running") for result in results)
        why = "Nothing yet: a speedup needs two measured runs."
        over = "Nothing to compare: no run has a speedup."
        return wrapped(why if goes_on else over, width, "$muted")
    return Content("\n\n").join(blocks)


def _speedups(results: Sequence[Result]) -> Iterator[SpeedupBar]:
    for result in results:
        if result.speedup is not None:
            ideal = result.speedup / result.efficiency if result.efficiency else None
            is_baseline = result.baseline == result.run
            yield SpeedupBar(result.label, result.speedup, ideal, result.speedup_interval, is_baseline)


def _gains(results: Sequence[Result]) -> Iterator[SpeedupBar]:
    for result in results:
        if result.concurrency_gain is not None:
            yield SpeedupBar(result.label, result.concurrency_gain, float(result.devices))


def _bars(what: str, bars: Sequence[SpeedupBar], width: int) -> Content:
    most = max(max(bar.value, bar.ideal or 0.0) for bar in bars)
    by_devices = any(bar.ideal is not None and not bar.is_baseline for bar in bars)
    legend = f"█ {what}" + (f"  {IDEAL} ideal" if by_devices else "")
    least = max(len(legend), width // THIRD)
    columns = [
        GridColumn("run", [_name(bar.label, width) for bar in bars], is_text=True),
        GridColumn(legend, [Content(" " * least)] * len(bars), is_text=True),
        GridColumn("", _values(bars, by_devices), is_text=True),
        GridColumn("efficiency", [_efficiency(bar) for bar in bars], 1),
        GridColumn("95% interval", [_interval(bar) for bar in bars], 2, is_text=True),
    ]
    shown, gap = fit_columns([column for column in columns if _says_something(column)], width)
    room = width - sum(column.width for column in shown) - len(gap) * (len(shown) - 1)
    cells = min(WIDEST_SPEEDUP_BAR, columns[1].width + max(0, room))
    drawn = [_bar(bar, most, cells, by_devices) for bar in bars]
    return grid([column._replace(cells=drawn) if column is columns[1] else column for column in shown], width)


def _says_something(column: GridColumn) -> bool:
    return bool(column.title.startswith("█") or any(cell.plain.strip() for cell in column.cells))


def _bar(bar: SpeedupBar, most: float, cells: int, with_ideal: bool) -> Content:
    """Return the bar, filled up to the value and dotted up to the ideal, which is always marked."""
    filled = max(1, round(cells * bar.value / most))
    if bar.ideal is None or not with_ideal:
        return Content.styled("█" * filled, "$primary")
    mark = max(1, round(cells * bar.ideal / most))
    before, after = min(filled, mark - 1), max(0, filled - mark)
    return Content.assemble(
        ("█" * before, "$primary"),
        ("·" * (mark - 1 - before), "$muted"),
        (IDEAL, "bold $text-accent"),
        ("█" * after, "$primary"),
    )


def _name(label: str, width: int) -> Content:
    return Content(shortened(label, max(8, width // THIRD)))


def _values(bars: Sequence[SpeedupBar], with_ideal: bool) -> list[Content]:
    widest = max(len(ratio(bar.value)) for bar in bars)
    values = (Content.styled(f"{ratio(bar.value):>{widest}}", "bold $text-primary") for bar in bars)
    if not with_ideal:
        return list(values)
    ideals = ("" if bar.ideal is None else f" of {bar.ideal:.3g}" for bar in bars)
    return [value + Content.styled(ideal, "$muted") for value, ideal in zip(values, ideals, strict=True)]


def _efficiency(bar: SpeedupBar) -> Content:
    if bar.is_baseline:
        return Content.styled("baseline", "$text-accent")
    return Content(percent(bar.value / bar.ideal) if bar.ideal else "")


def _interval(bar: SpeedupBar) -> Content:
    return Content(interval(bar.interval, ratio))
