"""The GPUs of this machine at a glance: figures of each, and who uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from textual.content import Content

from ...engine.text.grouping import index_ranges
from ...engine.text.units import GIB, NOT_AVAILABLE
from ..data.gpu_users import GpuState
from .drawing.bars import column_width, filled_bar, in_columns
from .drawing.grid import StyledText, shortened
from .monitor.gpu_strip import SHORTER
from .monitor.load import fullness_style, heat_style, load_style

MOST_LINES_OF_USERS = 2
CHOSEN = "*"
"""Sign after the index of a GPU that runs may use, where some may not be used."""
HIDDEN = "users not visible here"
"""Users of a GPU of which memory is held by no visible process."""


class GlanceColumn(NamedTuple):
    """One figure of a GPU; width 0 takes the cells left by the others."""

    title: str
    width: int
    show: Callable[[GpuState, int], StyledText]


def gpu_glance(states: Sequence[GpuState], width: int, height: int) -> Content:
    """Return the GPUs within `width` cells, side by side if `height` lines are too few for one each.

    Where a line has no room for the users of its GPU, lines below name those of all.
    """
    abreast = _abreast(len(states), width, height)
    cells = column_width(width, abreast)
    columns = _columns_for(cells)
    marked = not all(state.is_chosen for state in states)
    lines = [_line(state, columns, cells, marked) for state in states]
    parts = [in_columns(lines, abreast)]
    if columns is NARROWEST:
        parts.insert(0, in_columns([_heading(columns)] * abreast, abreast))
    if columns[-1].show is not _users:
        parts += _lines_of_users(states, width)
    return Content("\n").join(parts)


def gpu_choice(state: GpuState, width: int, with_name: bool) -> Content:
    """Return a GPU in one line: index, utilisation, memory, and its users or that it is free."""
    head = f"{state.gpu.index:>2}  " + (f"{state.gpu.name}  " if with_name else "")
    figures = f"{_utilization(state, 4)[0]}  {_memory(state, 11)[0]}  "
    held = [f"{user.name}{_size(user.memory_bytes or 0)}" for user in state.users or ()]
    text = ", ".join(held) or (HIDDEN if state.is_taken else "users n/a" if state.users is None else "free")
    style = "$text-warning" if held or state.is_taken else "$muted"
    if state.sample.lost:
        text, style = "lost: no longer answers", "$text-error"
    room = width - len(head) - len(figures)
    return Content.assemble(head, figures, (shortened(text, room), style))


def _abreast(count: int, width: int, height: int) -> int:
    """Return the number of GPUs on a line: as few as fit the height, no more than the width allows."""
    for abreast in (1, 2, 4):
        if -(-count // abreast) <= height or column_width(width, abreast * 2) < GLANCE_LAYOUTS[-1][0]:
            return abreast
    return 4


def _columns_for(cells: int) -> Sequence[GlanceColumn]:
    return next((columns for least, columns in GLANCE_LAYOUTS if cells >= least), NARROWEST)


def _line(state: GpuState, columns: Sequence[GlanceColumn], cells: int, marked: bool) -> Content:
    head = f"{state.gpu.index:>2}{CHOSEN if marked and state.is_chosen else ' '}"
    style = "" if state.is_chosen else "$muted"
    if state.sample.lost:
        text = shortened("lost: no longer answers" if cells >= 26 else "lost", cells - 3)
        return Content.assemble((head, style), (text.ljust(cells - 3), "$text-error"))
    taken = 3 + sum(column.width for column in columns) + len(columns) - 1
    parts = []
    for column in columns:
        size = column.width or max(0, cells - taken)
        text, warning = column.show(state, size)
        parts.append(Content.styled(shortened(text, size).ljust(size), warning or style))
    return Content.styled(head, style) + Content(" ").join(parts)


def _heading(columns: Sequence[GlanceColumn]) -> Content:
    titles = " ".join(column.title.rjust(column.width) for column in columns)
    return Content.styled(f" # {titles}", "$muted")


# The figures


def _figure(value: float | None, unit: str, width: int) -> str:
    return (NOT_AVAILABLE if value is None else f"{value:.0f}{unit}").rjust(width)


def _utilization_bar(state: GpuState, width: int) -> StyledText:
    share = (state.sample.utilization or 0.0) / 100
    return filled_bar(share, width), load_style(share)


def _utilization(state: GpuState, width: int) -> StyledText:
    return _figure(state.sample.utilization, "%" if width > 3 else "", width), ""


def _memory_share(state: GpuState) -> float:
    used, total = state.sample.memory_used_bytes, state.sample.memory_total_bytes
    return used / total if used and total else 0.0


def _memory_bar(state: GpuState, width: int) -> StyledText:
    share = _memory_share(state)
    return filled_bar(share, width), fullness_style(share) or "$accent"


def _memory(state: GpuState, width: int) -> StyledText:
    used, total = state.sample.memory_used_bytes, state.sample.memory_total_bytes
    style = fullness_style(_memory_share(state))
    if used is None or total is None or width < 7:
        return _figure(None if used is None else used / GIB, "", width), style
    unit = " GiB" if width >= 11 else "G"
    return f"{used / GIB:.0f}/{total / GIB:.0f}{unit}".rjust(width), style


def _temperature(state: GpuState, width: int) -> StyledText:
    celsius = state.sample.temperature
    return _figure(celsius, "°C" if width > 3 else "", width), heat_style(celsius)


def _power(state: GpuState, width: int) -> StyledText:
    watts, limit = state.sample.power_watts, state.sample.power_limit_watts
    style = "$text-warning" if state.sample.throttle else ""
    if watts is None or limit is None or width < 9:
        return _figure(watts, "W" if width > 3 else "", width), style
    return f"{watts:.0f}/{limit:.0f} W".rjust(width), style


def _clock(state: GpuState, width: int) -> StyledText:
    clock, limit = state.sample.sm_clock_mhz, state.sample.sm_clock_max_mhz
    if clock is None or limit is None:
        return _figure(clock, " MHz", width), ""
    return f"{clock:.0f}/{limit:.0f} MHz".rjust(width), ""


def _throttle(state: GpuState, width: int) -> StyledText:
    reasons = [SHORTER.get(reason, reason) for reason in state.sample.throttle or ()]
    return shortened(", ".join(dict.fromkeys(reasons)), width), "$text-warning"


def _users(state: GpuState, width: int) -> StyledText:
    """Return the users of a GPU, after the reason why it is throttled if it is."""
    throttle = _throttle(state, width)[0]
    texts = [throttle] if throttle else []
    if state.users:
        texts.append(", ".join(user.name for user in state.users))
    elif state.is_taken:
        texts.append(HIDDEN)
    elif state.users is None:
        texts.append("users n/a")
    return shortened("; ".join(texts), width), "$text-warning" if throttle or state.is_taken else ""


def _lines_of_users(states: Sequence[GpuState], width: int) -> Iterator[Content]:
    """Yield lines that name the users, each with its GPUs: `0-3 anna python 280 GiB`."""
    gpus: dict[str, list[int]] = {}
    memory: dict[str, int] = {}
    for state in states:
        names = {user.name: user.memory_bytes or 0 for user in state.users or ()}
        if state.is_taken:
            names[HIDDEN] = state.sample.memory_used_bytes or 0
        for name, held in names.items():
            gpus.setdefault(name, []).append(state.gpu.index)
            memory[name] = memory.get(name, 0) + held
    if not gpus:
        unknown = all(state.users is None for state in states)
        yield Content.styled("users n/a" if unknown else "no programs on the GPUs", "$muted")
    texts = [f"{index_ranges(of)}: {name}{_size(memory[name])}" for name, of in gpus.items()]
    lines = _filled(texts, width)
    for number, line in enumerate(lines[:MOST_LINES_OF_USERS], start=1):
        more = "; …" if number == MOST_LINES_OF_USERS < len(lines) else ""
        yield Content(shortened(line, width - len(more)) + more)


def _size(memory: int) -> str:
    return f" {memory / GIB:.0f} GiB" if memory else ""


def _filled(texts: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for text in texts:
        if lines and len(lines[-1]) + len(text) + 2 <= width:
            lines[-1] += f"; {text}"
        else:
            lines.append(text)
    return lines


UTILIZATION, TEMPERATURE = GlanceColumn("%", 4, _utilization), GlanceColumn("°C", 5, _temperature)
MEMORY_OF, POWER_OF = GlanceColumn("GiB", 11, _memory), GlanceColumn("W", 9, _power)
USERS = GlanceColumn("users", 0, _users)
NARROWEST = (
    GlanceColumn("%", 3, _utilization),
    GlanceColumn("GiB", 3, _memory),
    GlanceColumn("°C", 3, _temperature),
    GlanceColumn("W", 3, _power),
)
GLANCE_LAYOUTS: tuple[tuple[int, Sequence[GlanceColumn]], ...] = (
    (
        108,
        (
            GlanceColumn("", 14, _utilization_bar),
            UTILIZATION,
            GlanceColumn("", 10, _memory_bar),
            MEMORY_OF,
            TEMPERATURE,
            POWER_OF,
            GlanceColumn("MHz", 13, _clock),
            USERS,
        ),
    ),
    (70, (GlanceColumn("", 7, _utilization_bar), UTILIZATION, MEMORY_OF, TEMPERATURE, POWER_OF, USERS)),
    (54, (UTILIZATION, MEMORY_OF, TEMPERATURE, POWER_OF, USERS)),
    (
        33,
        (
            UTILIZATION,
            GlanceColumn("GiB", 8, _memory),
            TEMPERATURE,
            GlanceColumn("W", 5, _power),
            GlanceColumn("", 0, _throttle),
        ),
    ),
    (18, NARROWEST),
)
"""Least width of a GPU in cells, and the figures shown from that width on."""
