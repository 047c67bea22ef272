"""Step time by part, as one stacked bar for each run or for each of its concurrent trainings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...text.units import milliseconds, percent
from ..results.phases import PARTS, WORDS, Part
from ..results.result import Result
from .legend import SAMPLE, LegendEntry, legend
from .style import SMALL, TEXT
from .svg import Drawing, element, group, label, room_for, shorten, stack, width_of

ROW, BAR = 26.0, 18.0
GAP = 12.0
PADDING = 4.0


def steps_chart(found: Sequence[Result], width: float) -> Drawing | None:
    """Draw the chart with its legend above; None if no run has a breakdown."""
    rows = [row for result in found for row in _rows(result)]
    if not rows:
        return None
    names = room_for(name for name, _, _ in rows)
    times = max(width_of(time, TEXT) for _, time, _ in rows)
    start, end = names + GAP, width - times - GAP
    drawn = []
    for number, (name, time, shares) in enumerate(rows):
        baseline = ROW / 2 + 0.35 * TEXT
        line = [
            label(0, baseline, shorten(name, TEXT, names), "ink"),
            label(width, baseline, time, "ink", "end"),
        ]
        drawn.append(group([*line, *_bar(shares, start, end - start)], y=number * ROW))
    used = [part for part in PARTS if any(shares[part] > 0 for _, _, shares in rows)]
    return stack([_key(used, width), Drawing(len(rows) * ROW, tuple(drawn))], 6)


def _rows(result: Result) -> Iterator[tuple[str, str, Mapping[Part, float]]]:
    """Yield name, step time and shares of each bar."""
    phases = result.phases
    if phases is None:
        return
    if result.mode != "concurrent":
        yield result.label, f"{milliseconds(phases.step_seconds)} ms", phases.shares
        return
    for rank in phases.ranks:
        name = f"{result.label}, rank {rank.rank}: {rank.workload}"
        yield name, f"{milliseconds(rank.step_seconds)} ms", rank.shares


def _bar(shares: Mapping[Part, float], start: float, width: float) -> Iterator[str]:
    """Draw the parts one after another; all are shortened if overlapping parts add up to more than 1."""
    whole = max(1.0, sum(max(0.0, share) for share in shares.values()))
    x, top = start, (ROW - BAR) / 2
    for part in PARTS:
        room = width * max(0.0, shares[part]) / whole
        if room > 0:
            about = element("title", f"{_word(part)}: {percent(shares[part])}")
            box = element("rect", about, x=x, y=top, width=room, height=BAR, class_=part)
            yield box
            written = next((text for text in _written(part, shares[part]) if _fits(text, room)), "")
            if written:
                middle = x + room / 2
                yield label(middle, ROW / 2 + 0.35 * SMALL, written, f"small on-{part}", "middle")
        x += room


def _written(part: Part, share: float) -> tuple[str, str]:
    return f"{part} {100 * share:.0f}%", f"{100 * share:.0f}%"


def _fits(text: str, room: float) -> bool:
    return width_of(text, SMALL) + 2 * PADDING <= room


def _key(parts: Sequence[Part], width: float) -> Drawing:
    boxes = {part: element("rect", y=-6, width=SAMPLE, height=12, class_=part) for part in parts}
    return legend([LegendEntry(_word(part), box) for part, box in boxes.items()], width)


def _word(part: Part) -> str:
    return WORDS.get(part, part)
