"""A tune as a waterfall: from the start, what each attempt brought, to the total."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import NamedTuple

from textual.content import Content

from ...engine.analysis.tuning.attempts import AttemptState, Tried
from ...engine.analysis.tuning.batch import BatchSearch
from ...engine.analysis.tuning.sequential import MOST_PAIRS
from ...engine.analysis.tuning.tuning import Tuning
from ...engine.analysis.tuning.words import interval_in_words
from ...engine.conductor.tuned_preset import SETTINGS_IN
from ...engine.record.events import LogMessage
from ...engine.statistics import Estimate
from ...engine.text.toml import toml_value
from ...engine.text.units import rate, ratio
from .drawing.grid import shortened, wrapped

SIGNS: dict[AttemptState, tuple[str, str]] = {
    "measuring": ("▶", "$text-accent"),
    "kept": ("✓", "$text-success"),
    "refused": ("–", "$muted"),
    "failed": ("✗", "$text-error"),
    "not tried": ("·", "$muted"),
}
"""Sign before an attempt in each state, and its style."""
START_SIGN, TOTAL_SIGN = " ", "="
MARK = "│"
"""Place of the start on the axis of the bars."""
GAINED, UNDECIDED = "█", "─"
"""Cells of the bars of what counts, and of what does not or not yet."""
LONGEST_NAME, SHORTEST_NAME = 24, 12
LONGEST_BAR, SHORTEST_BAR = 30, 8
WITH_INTERVAL = 50
"""Cells from which the interval has a column of its own."""
WITH_BAR = 72
"""Cells from which there are bars."""
FIGURE, WITHIN = 8, 15
"""Cells of the columns of gain and interval, with the gap after them."""
INDENT = 4
"""Cells before a reason that has lines of its own."""


class WaterfallRow(NamedTuple):
    """One row: sign, name, what it brought, and what became of it."""

    sign: str
    style: str
    name: str
    words: str
    reason: str = ""
    """More about it, which gets lines of its own where it does not fit."""
    gain: Estimate | None = None
    level: float = 1.0
    """Ratio to the start from which the gain counts."""
    counts: bool = False
    """Whether the gain is part of the total."""
    figure: str = ""
    """Text in place of the gain."""
    brief: str = ""
    """Shorter form of `words`, if there is one."""

    @property
    def is_start(self) -> bool:
        """Whether it is the row of the start."""
        return self.sign == START_SIGN

    @property
    def ends(self) -> float:
        """Ratio to the start at which the bar ends."""
        return self.level * (self.gain.value if self.gain is not None else 1.0)


class Waterfall(NamedTuple):
    """The waterfall as text, and the line of what is being measured."""

    content: Content
    line: int


def waterfall(tuning: Tuning, width: int) -> Waterfall:
    """Return a row for the start, for each attempt in its order, and for the total."""
    rows = list(_rows(tuning))
    least = min(1.0, *(min(row.level, row.ends) for row in rows))
    most = max(1.0, *(max(row.level, row.ends) for row in rows))
    blocks = [_lines(row, width, (least, most)) for row in rows]
    measuring = [place for place, row in enumerate(rows) if row.sign == SIGNS["measuring"][0]]
    current = measuring[0] if measuring else len(rows) - 1
    return Waterfall(
        Content("\n").join([line for block in blocks for line in block]),
        sum(len(block) for block in blocks[:current]),
    )


OF_THEIR_OWN = {"start": "measuring the start", "batch": "looking for the largest batch"}
"""Stages of a tune in which no remedy is on trial, in words."""


def tuning_title(tuning: Tuning) -> str:
    """Return how far a tune has come: `3 tried, 2 kept, about 1.38x so far`."""
    tried, kept = len(tuning.attempts), tuning.kept_attempts
    parts = [f"{tried} tried, {len(kept)} kept"] if tried else []
    if tuning.stage == "ended":
        parts.append(f"ended: {tuning.ended}")
    elif kept:
        parts.append(f"about {ratio(_product(kept))} so far")
    elif tuning.stage in OF_THEIR_OWN:
        parts.append(OF_THEIR_OWN[tuning.stage])
    return ", ".join(parts)


def found_settings(tuning: Tuning, log: Iterable[LogMessage], width: int) -> Content:
    """Return the changes that were kept, as a preset has them, and where that is; nothing if none was."""
    if not tuning.kept:
        return Content()
    changes = ", ".join(f"{key} = {toml_value(value)}" for key, value in tuning.kept.items())
    lines = [wrapped(changes, width, "bold", lead="Kept: ")]
    where = [
        message.text.removeprefix(SETTINGS_IN) for message in log if message.text.startswith(SETTINGS_IN)
    ]
    lines += [wrapped(each, width, "$text-accent", lead="Preset: ") for each in where[-1:]]
    return Content("\n").join(lines)


def _rows(tuning: Tuning) -> Iterator[WaterfallRow]:
    goes_on = tuning.stage != "ended"
    start = "" if tuning.start_throughput is None else rate(tuning.start_throughput, tuning.unit)
    yield WaterfallRow(START_SIGN, "", "start", start or "measuring" if goes_on or start else "not measured")
    level = 1.0
    search = tuning.batch
    for each in tuning.attempts:
        if search is not None and each.number is not None and search.number < each.number:
            yield _search_row(search, level, goes_on)
            search = None
        yield _attempt_row(each, level)
        level = level * each.gain.value if each.state == "kept" and each.gain is not None else level
    if search is not None:
        yield _search_row(search, level, goes_on)
    yield from (_attempt_row(each, level) for each in tuning.tried if each.number is None)
    if tuning.kept or tuning.total is not None:
        yield _total_row(tuning, level)


def _attempt_row(each: Tried, level: float) -> WaterfallRow:
    sign, style = SIGNS[each.state]
    words, reason, brief = str(each.state), each.why, ""
    if each.state == "measuring":
        brief = f"pair {(each.gain.n if each.gain is not None else 0) + 1}"
        words = f"{brief} of at most {MOST_PAIRS}"
    elif each.gain is not None and each.state != "kept":
        reason = each.why.partition(": ")[0]  # the figures after it have columns of their own
    kept = each.state == "kept"
    return WaterfallRow(
        sign, style, each.remedy.name, words, reason, each.gain, level, counts=kept, brief=brief
    )


def _search_row(search: BatchSearch, level: float, goes_on: bool) -> WaterfallRow:
    measuring = next((each.batch for each in search.tried if each.fits is None), None)
    fit = [f"{each.batch:,}" for each in search.tried if each.fits]
    too_large = [f"{each.batch:,}" for each in search.tried if each.fits is False]
    parts = [f"{', '.join(fit)} fit" if fit else "", f"{', '.join(too_large)} too large" if too_large else ""]
    found = "; ".join(filter(None, [*parts, "" if too_large else search.ended]))
    if measuring is not None and goes_on:
        sign, style = SIGNS["measuring"]
        return WaterfallRow(sign, style, "larger batch", f"trying {measuring:,}", found, level=level)
    sign, style = SIGNS["not tried"]
    return WaterfallRow(sign, style, "larger batch", f"{search.largest:,} is largest", found, level=level)


def _total_row(tuning: Tuning, level: float) -> WaterfallRow:
    total, brief = tuning.total, ""
    if tuning.stage == "ended":
        words, reason = "measured anew" if total is not None else "", tuning.trouble
        if tuning.confirmed is False:
            reason = reason or "not confirmed: its interval reaches 1.00x"
    elif tuning.stage == "confirming":
        brief, reason = f"anew, pair {(total.n if total is not None else 0) + 1}", ""
        words = f"measuring {brief}"
    else:
        words, reason, brief = "so far, to be measured anew", "", "so far"
    style = "bold $text-success" if tuning.confirmed else "bold"
    figure = f"~{ratio(level)}" if total is None else ""
    gain = total or Estimate(level, None, 1)
    return WaterfallRow(
        TOTAL_SIGN, style, "total", words, reason, gain, counts=True, figure=figure, brief=brief
    )


def _product(kept: Sequence[Tried]) -> float:
    return prod(each.gain.value for each in kept if each.gain is not None)


def _lines(row: WaterfallRow, width: int, axis: tuple[float, float]) -> list[Content]:
    """Return a row in lines of `width` cells, the second and further ones for its reason."""
    name_room = max(SHORTEST_NAME, min(LONGEST_NAME, width // 4))
    parts: list[Content | str | tuple[str, str]] = [(f"{row.sign} ", row.style)]
    parts.append((f"{shortened(row.name, name_room):<{name_room}} ", row.style))
    if width >= WITH_BAR and (row.gain is not None or row.is_start):
        room = max(SHORTEST_BAR, min(LONGEST_BAR, width // 6))
        parts += [_bar(row, room, axis), " "]
    if row.gain is not None:
        parts.append(
            (f"{row.figure or ratio(row.gain.value):>{FIGURE - 2}}  ", row.style if row.counts else "")
        )
        if width >= WITH_INTERVAL:
            parts.append((f"{interval_in_words(row.gain):<{WITHIN}} ", "$muted"))
    begin = Content.assemble(*parts)
    room = width - begin.cell_length
    whole = ": ".join(filter(None, (row.words, row.reason)))
    if len(whole) <= room:
        return [Content.assemble(begin, (whole, row.style))]
    words = row.words if len(row.words) <= room else row.brief or row.words
    first = Content.assemble(begin, (shortened(words, room), row.style))
    if not row.reason:
        return [first]
    return [first, *wrapped(row.reason, width, "$muted", indent=INDENT).split("\n")]


def _bar(row: WaterfallRow, room: int, axis: tuple[float, float]) -> Content:
    """Return the bar of a row, from the level before it to that after it, on an axis from start to total."""
    least, most = axis
    scale = (room - 1) / (most - least) if most > least else 0.0

    def place(value: float) -> int:
        return round((value - least) * scale)

    if row.is_start:
        return Content.styled(f"{' ' * place(row.level) + MARK:<{room}}", "$muted")
    low, high = sorted((place(row.level), place(row.ends)))
    cells = " " * low + (GAINED if row.counts else UNDECIDED) * (high - low + 1)
    return Content.styled(f"{cells[:room]:<{room}}", row.style)
