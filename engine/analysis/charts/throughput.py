"""Throughput and speedup of each run as bars, or the reason that there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...text.grouping import group_labels
from ...text.units import number, percent, ratio
from ..report.columns import remarks, side_by_side, unit_of
from ..results.result import Result
from ..results.side_by_side import ConcurrentTraining
from .bar_chart import MARK, Bar, BarPanel, BarRow, bar_chart, whisker
from .legend import LegendEntry, legend
from .style import SMALL
from .svg import Drawing, element, paragraph, stack

NO_SPEEDUP = "no speedup"


def runs_chart(found: Sequence[Result], width: float, headline: str = "") -> Drawing:
    """Draw a row for each run, with speedups if any run has one, and remarks below.

    What the `headline` above the chart says is not said again.
    """
    panels = [BarPanel(title=f"{unit_of(found)}/s")]
    compared = any(result.speedup is not None and result.run != result.baseline for result in found)
    if compared:
        panels.append(BarPanel(title=_speedup_title(found), beside="efficiency", unit="x"))
    rows = [
        BarRow(name=row.name, bars=row.bars[: len(panels)], about=row.about)
        for result in found
        for row in _rows(result, compared)
    ]
    noted = group_labels((result.label, text) for result in found for text in _notes(result, headline))
    notes = [paragraph(f"{labels}: {text}", "muted small", SMALL, width) for labels, text in noted]
    return stack([bar_chart(panels, rows, width), legend(list(_entries(rows)), width), *notes], 4)


def _speedup_title(found: Sequence[Result]) -> str:
    baselines = [result.label for result in found if result.run == result.baseline]
    return f"speedup over {baselines[0]}" if len(baselines) == 1 else "speedup over its baseline"


def _rows(result: Result, compared: bool) -> Iterator[BarRow]:
    about = "; ".join([result.label, *remarks(result)])
    if result.throughput is not None:
        bar = Bar(
            value=result.throughput,
            text=number(result.throughput),
            interval=result.interval,
            is_baseline=compared and result.run == result.baseline,
        )
        yield BarRow(name=result.label, bars=(bar, _speedup(result)), about=about)
    elif any(part.side_by_side.throughput is not None for part in result.parts):
        yield BarRow(name=result.label, bars=("side by side", _gain(result)), about=about)
        for part in result.parts:
            yield _part_row(part)
    else:
        yield BarRow(name=result.label, bars=(_instead(result),), about=about)


def _instead(result: Result) -> str:
    """Return what to print for a run without figures."""
    if result.failure is not None:
        return f"failed ({result.failure.kind}): {result.failure.message}"
    texts = remarks(result)
    return texts[0] if texts and not result.windows else result.state


def _speedup(result: Result) -> Bar | str:
    if result.speedup is None:
        return _gain(result) or (NO_SPEEDUP if result.baseline is not None else "")
    is_baseline = result.run == result.baseline
    return Bar(
        value=result.speedup,
        text=ratio(result.speedup),
        beside="" if result.efficiency is None or is_baseline else percent(result.efficiency),
        interval=result.speedup_interval,
        ideal=None if is_baseline or not result.efficiency else result.speedup / result.efficiency,
        is_baseline=is_baseline,
    )


def _gain(result: Result) -> str:
    return "" if result.concurrency_gain is None else f"concurrency gain {ratio(result.concurrency_gain)}"


def _part_row(part: ConcurrentTraining) -> BarRow:
    name, together = f"– {part.workload} on {part.device}", part.side_by_side
    if together.throughput is None:
        return BarRow(name=name, about=name)
    bar = Bar(value=together.throughput, text=number(together.throughput), interval=together.interval)
    alone = "" if not part.alone else f"{percent(together.throughput / part.alone)} of it alone"
    return BarRow(name=name, bars=(bar, alone), about=name)


def _notes(result: Result, headline: str) -> list[str]:
    """Return the remarks below the chart; a run without figures has them in its row."""
    texts = remarks(result, headline) if result.windows else []
    return [*texts, *side_by_side(result)[-1:]] if result.concurrency_gain is not None else texts


def _entries(rows: Sequence[BarRow]) -> Iterator[LegendEntry]:
    bars = [bar for row in rows for bar in row.bars if isinstance(bar, Bar)]
    if any(bar.is_baseline for bar in bars):
        yield LegendEntry("baseline", element("rect", y=-5, width=14, height=10, class_="base"))
    if any(bar.interval is not None for bar in bars):
        yield LegendEntry("95% interval", whisker(0, 14, 0))
    if any(bar.ideal is not None for bar in bars):
        mark = element("line", x1=7, y1=-MARK / 2 - 2, x2=7, y2=MARK / 2 + 2, class_="ideal")
        yield LegendEntry("ideal: the number of devices", mark)
