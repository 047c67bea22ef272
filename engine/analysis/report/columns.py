"""The columns of the results table, for every place that shows one; titles name the units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ...plan.preset.vary import short_key, value_text
from ...record.events import Failure
from ...text.units import (
    common_unit,
    count,
    gib_number,
    in_unit,
    interval,
    milliseconds,
    number,
    percent,
    ratio,
    with_spread,
)
from ..results.result import Result


class Column(Struct, frozen=True, kw_only=True):
    """One column of the results table."""

    title: str
    value: Callable[[Result], str | float | None]
    """Function that returns the value to sort by; None if there is none."""
    cell: Callable[[Result], str]
    importance: int
    """Rank of the column; the highest number is dropped first, 0 never."""
    is_text: bool = False
    """Whether the column is left-aligned."""
    is_given: bool = False
    """Whether the plan gives it, so that it is filled even for runs without figures."""


def throughput(result: Result) -> str:
    """Write the throughput with its spread."""
    if result.throughput is None and result.parts:
        return "see below"
    return with_spread(result.throughput, result.spread)


def _words(title: str, words: Callable[[Result], str]) -> Column:
    return Column(title=title, value=words, cell=words, importance=0, is_text=True, is_given=True)


def _figure(
    title: str, value: Callable[[Result], float | None], shown: Callable[[float | None], str], importance: int
) -> Column:
    return Column(title=title, value=value, cell=lambda result: shown(value(result)), importance=importance)


def _whole(count: float | None) -> str:
    return f"{count:,}"


def _where_it_applies(gain: float | None) -> str:
    return "" if gain is None else ratio(gain)


MODE = _words("mode", lambda result: result.mode)
WORKLOAD = _words("workload", lambda result: result.workload)
DEVICES = replace(_figure("devices", lambda result: result.devices, _whole, 1), is_given=True)
BATCH = replace(_figure("batch", lambda result: result.global_batch, _whole, 5), is_given=True)
THROUGHPUT = Column(title="samples/s", value=lambda result: result.throughput, cell=throughput, importance=0)
SPEEDUP = _figure("speedup", lambda result: result.speedup, ratio, 1)
SPEEDUP_INTERVAL = Column(
    title="95% interval",
    value=lambda result: result.speedup_interval and result.speedup_interval[0],
    cell=lambda result: interval(result.speedup_interval, ratio),
    importance=3,
)
"""Interval of the speedup; beside it in the table."""
EFFICIENCY = _figure("efficiency", lambda result: result.efficiency, percent, 2)
GAIN = _figure("gain", lambda result: result.concurrency_gain, _where_it_applies, 1)
ACCURACY = _figure("accuracy", lambda result: result.test_accuracy, percent, 4)
TEST_LOSS = _figure(
    "test loss", lambda result: result.test_loss if result.test_accuracy is None else None, number, 4
)
"""Loss of those that have no accuracy, such as language models."""
FIXED = (
    DEVICES,
    BATCH,
    THROUGHPUT,
    _figure("per device", lambda result: result.throughput_per_device, number, 8),
    _figure("step, ms", lambda result: result.step_seconds, milliseconds, 6),
    SPEEDUP,
    SPEEDUP_INTERVAL,
    EFFICIENCY,
    _figure("peak, GiB", lambda result: result.peak_memory_bytes, gib_number, 7),
)


def result_columns(found: Sequence[Result]) -> list[Column]:
    """Return the columns in which these results have something to show, in order."""
    chosen = [WORKLOAD] if len({result.workload for result in found}) > 1 else []
    known = any(result.speedup_interval is not None for result in found)
    varied = _varied_columns(found)
    left_out = [] if known else [SPEEDUP_INTERVAL]
    left_out += [EFFICIENCY] if varied and len({result.devices for result in found}) == 1 else []
    chosen += [MODE, *varied, *(column for column in FIXED if column not in left_out)]
    chosen = [_in_their_unit(column, found) if column is THROUGHPUT else column for column in chosen]
    ways = [tuple(column.cell(result) for column in varied) for result in found]
    rows = {(each.workload, each.mode, each.devices, way) for each, way in zip(found, ways, strict=True)}
    if len(rows) < len(found):  # only the batch tells some of them apart
        chosen = [replace(column, importance=0) if column is BATCH else column for column in chosen]
    optional = (GAIN, ACCURACY, TEST_LOSS)
    return [*chosen, *(each for each in optional if any(each.value(result) is not None for result in found))]


def _varied_columns(found: Sequence[Result]) -> list[Column]:
    """Return a column for each variable under test that has several values among these results."""
    keys = dict.fromkeys(key for result in found for key in result.varied)
    several = [key for key in keys if len({_varied(key)(result) for result in found}) > 1]
    short = [short_key(key) for key in several]
    taken = {column.title for column in (MODE, WORKLOAD, *FIXED, GAIN, ACCURACY, TEST_LOSS)}
    return [
        _words(key if short.count(name) > 1 or name in taken else name, _varied(key))
        for key, name in zip(several, short, strict=True)
    ]


def _varied(key: str) -> Callable[[Result], str]:
    """Return the function that writes a result's value of a variable; nothing where it takes no effect."""
    return lambda result: value_text(result.varied[key]) if key in result.varied else ""


def unit_of(found: Sequence[Result]) -> str:
    """Return the unit of these results' throughputs, planned where none was measured; `samples` where they
    differ."""
    return common_unit(
        [result.unit for result in found if has_figures(result)] or [each.unit for each in found]
    )


def _in_their_unit(column: Column, found: Sequence[Result]) -> Column:
    """Return a column of throughputs with their unit in its title, or where they differ in its cells."""
    if len({result.unit for result in found if has_figures(result)}) < 2:
        return replace(column, title=in_unit(column.title, unit_of(found)))
    return replace(column, title="throughput", cell=lambda result: f"{throughput(result)} {result.unit}/s")


def ordered(found: Sequence[Result], column: Column, backwards: bool = False) -> list[Result]:
    """Return results sorted by a column: text ascending, numbers descending, missing values last."""
    with_value = [result for result in found if _sort_value(column, result) is not None]
    without = [result for result in found if _sort_value(column, result) is None]
    greatest_first = not column.is_text
    key: Callable[[Result], Any] = column.value
    return [*sorted(with_value, key=key, reverse=greatest_first != backwards), *without]


def _sort_value(column: Column, result: Result) -> str | float | None:
    return column.value(result) if _is_shown(column, result) else None


def _is_shown(column: Column, result: Result) -> bool:
    return column.is_given or has_figures(result)


def cell(column: Column, result: Result) -> str:
    """Return the text of a cell; for a run without figures, its state."""
    if _is_shown(column, result):
        return " ".join(column.cell(result).split())
    return result.state if column.value is THROUGHPUT.value else ""


def has_figures(result: Result) -> bool:
    """Return whether anything was measured of the run."""
    return result.windows > 0


def remarks(result: Result, headline: str = "") -> list[str]:
    """Return remarks on a result for below the table, each a sentence without the run's name.

    What the `headline` above the table says of a variable under test is not said again.
    """
    texts = []
    if result.failure is not None:
        texts.append(_failure(result.failure))
    elif result.state in ("failed", "skipped", "stopped"):
        is_named = not result.reason or result.reason.startswith(result.state)
        why = result.reason if is_named else f"{result.state}: {result.reason}"
        after = f" (after {count(result.windows, 'window')})" if has_figures(result) else ""
        texts.append(f"{why or result.state}{after}")
    said = headline.casefold()
    texts += [text for text in map(str, result.contrasts) if text.casefold() not in said]
    return [*texts, *result.notes]


def _failure(failure: Failure) -> str:
    where = "" if failure.rank is None else f" on rank {failure.rank}"
    log = f" (log: {failure.log} in the session's folder)" if failure.log else ""
    return f"failed ({failure.kind}{where}): {failure.message}{log}"


def side_by_side(result: Result) -> list[str]:
    """Return one line for each training of a concurrent run, and one for their gain."""
    lines = []
    for part in result.parts:
        together = part.side_by_side
        rate = with_spread(together.throughput, together.spread)
        line = f"{part.workload} on {part.device}: {rate} {part.unit}/s, {together.windows} windows"
        if part.alone is not None and together.throughput is not None:
            line += f", {percent(together.throughput / part.alone)} of its {number(part.alone)} alone"
        if part.learnt is not None and part.learnt.test_accuracy is not None:
            after = count(part.learnt.epochs, "epoch")
            line += f"; test accuracy {percent(part.learnt.test_accuracy)} after {after}"
        lines.append(line)
    if result.concurrency_gain is not None:
        within = interval(result.concurrency_gain_interval, ratio)
        bounds = f" (95%: {within})" if within else ""
        lines.append(
            f"concurrency gain {ratio(result.concurrency_gain)} of at most {result.devices}x{bounds}: the "
            "sum of the times alone over the longest time side by side, each training the same number of "
            "samples"
        )
    return lines
