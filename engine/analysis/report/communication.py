"""The report's section on communication."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...record.events import Exchange
from ...text.ascii import ascii_bar
from ...text.grouping import group_labels
from ...text.markdown import block, markdown_table, one_line, section
from ...text.units import NOT_AVAILABLE, duration, interval, milliseconds, number, percent, ratio
from ..results.bandwidth import Curve
from ..results.communication import Communication
from ..results.result import Result

MOST_BUCKETS = 24
EXCHANGE: tuple[Exchange, ...] = ("scatter", "replicate", "gather", "reduce")
"""DataParallel's operations in the order of a step."""


def communication_section(found: Sequence[Result]) -> Iterator[str]:
    """Yield the section: a row for each run, its buckets and bandwidth curves."""
    measured = [(result, result.communication) for result in found if result.communication is not None]
    lines = [*_overview(measured), *_buckets(measured), *_exchange(measured), *_curves(measured)]
    remarks = group_labels(
        (result.label, one_line(text)) for result, c in measured for text in communication_remarks(c)
    )
    if remarks:
        lines += [*([""] if lines else []), *(f"- {one_line(labels)}: {text}" for labels, text in remarks)]
    yield from section("Communication", lines)


def gigabytes_per_second(rate: float | None) -> str:
    """Write a bandwidth in GB/s (1e9 B/s) without the unit."""
    return NOT_AVAILABLE if rate is None else number(rate / 1e9)


def sync_cost(c: Communication) -> str:
    """Write the sync cost in ms with its 95% interval; of a cost below the noise the interval alone."""
    if c.sync_cost is None:
        return NOT_AVAILABLE
    text = "below the noise" if c.below_noise else milliseconds(c.sync_cost.value)
    within = interval(c.sync_cost.interval, milliseconds)
    return f"{text} ({within})" if within else text


def communication_remarks(c: Communication) -> Iterator[str]:
    """Yield remarks on a run's communication, each a sentence without the run's name."""
    if c.broadcasting:
        rank = max(c.broadcasting, key=c.broadcasting.__getitem__)
        longest = milliseconds(c.broadcasting[rank])
        yield f"broadcasting buffers takes up to {longest} ms of the exposed time (rank {rank})"
    if c.exchange:
        total = milliseconds(sum(c.exchange.values()))
        yield f"{' + '.join(c.exchange)} take {total} ms, {percent(c.exchange_share)} of a step"
    if c.wrapper is not None:
        within = f" ({interval(c.wrapper.interval, ratio)})" if c.wrapper.interval else ""
        yield f"DDP on one device runs at {ratio(c.wrapper.value)}{within} of single: the cost of its wrapper"
    if c.link is not None:
        rate = gigabytes_per_second(c.link_bandwidth)
        known = f", {rate} GB/s one way by the datasheet" if c.link_bandwidth else ""
        yield f"the GPUs are connected by {c.link}{known}"
    if c.traffic:
        parts = [
            f"{item.operation} of {_megabytes(item.bytes)} MB {item.what}"
            + (f" in {item.pieces} pieces" if item.pieces > 1 else "")
            + (f", {item.times} times" if item.times > 1 else "")
            for item in c.traffic
        ]
        crossing = _megabytes(sum(item.link_bytes for item in c.traffic))
        yield (f"traffic of a step, derived: {'; '.join(parts)}; {crossing} MB through the busiest device")


def _overview(measured: Sequence[tuple[Result, Communication]]) -> list[str]:
    titles = (
        *("run", "MB per step", "buckets", "exposed, ms", "overlap", "sync cost, ms (95%)"),
        *("predicted, ms", "busbw, GB/s", "utilisation"),
    )
    rows = [
        (
            result.label,
            _megabytes(c.bytes_per_step) + (" (derived)" if c.bytes_provenance == "derived" else ""),
            str(len(c.buckets)) if c.buckets else NOT_AVAILABLE,
            milliseconds(c.exposed_seconds),
            percent(c.overlap),
            sync_cost(c),
            milliseconds(c.predicted_seconds),
            gigabytes_per_second(c.busbw),
            percent(c.utilisation),
        )
        for result, c in measured
        if c.buckets or c.sync_cost or c.curves or c.bytes_per_step
    ]
    return markdown_table(titles, rows, left={"run"})


def _buckets(measured: Sequence[tuple[Result, Communication]]) -> list[str]:
    titles = (
        *("run", "bucket", "MB", "wait, ms", "transfer, ms", "algbw, GB/s", "busbw, GB/s"),
        *("reachable, GB/s", "utilisation"),
    )
    rows = [
        (
            result.label,
            str(place),
            _megabytes(bucket.bytes),
            milliseconds(bucket.wait_seconds),
            milliseconds(bucket.transfer_seconds),
            gigabytes_per_second(bucket.algbw),
            gigabytes_per_second(bucket.busbw),
            gigabytes_per_second(bucket.reachable),
            percent(bucket.utilisation),
        )
        for result, c in measured
        for place, bucket in enumerate(c.buckets[:MOST_BUCKETS], 1)
    ]
    lines = markdown_table(titles, rows, left={"run"})
    lines += [
        f"Of the {len(c.buckets)} buckets of {result.label} the first {MOST_BUCKETS} are shown."
        for result, c in measured
        if len(c.buckets) > MOST_BUCKETS
    ]
    return ["", "Gradient buckets, in the order in which they became ready:", "", *lines] if rows else []


def _exchange(measured: Sequence[tuple[Result, Communication]]) -> list[str]:
    titles = ("run", *(f"{operation}, ms" for operation in EXCHANGE), "total, ms", "of a step")
    rows = [
        (
            result.label,
            *(milliseconds(c.exchange.get(operation)) for operation in EXCHANGE),
            milliseconds(sum(c.exchange.values())),
            percent(c.exchange_share),
        )
        for result, c in measured
        if c.exchange
    ]
    lines = markdown_table(titles, rows, left={"run"})
    heading = "DataParallel's own operations, timed on its first device:"
    return ["", heading, "", *lines] if rows else []


def _curves(measured: Sequence[tuple[Result, Communication]]) -> list[str]:
    lines: list[str] = []
    for result, c in measured:
        for curve in c.curves.values():
            what = curve.collective.replace("_", "-")
            lines += ["", f"{result.label}, {what} on otherwise idle ranks, busbw by size:", ""]
            lines += block(_curve(curve))
    return lines


def _curve(curve: Curve) -> Iterator[str]:
    for point in curve.points:
        rate = gigabytes_per_second(point.busbw)
        drawn = ascii_bar(point.busbw, curve.best_busbw)
        yield f"{_size(point.bytes):>8} {duration(point.seconds):>9} {rate:>9} GB/s {drawn}"


def _megabytes(size: float | None) -> str:
    return NOT_AVAILABLE if size is None else number(size / 1e6)


def _size(size: int) -> str:
    for unit, bytes_ in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= bytes_:
            return f"{size / bytes_:.4g} {unit}"
    return f"{size} B"
