"""The GPUs of this machine at a glance: figures of each, and who uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from textual.content import Content

from ...engine.host.facts import GpuSample
from ...engine.text.grouping import index_ranges
from ...engine.text.units import GIB
from ..data.gpu_users import GpuState
from .drawing.bars import column_width, filled_bar, in_columns, lines_abreast
from .drawing.grid import StyledText, shortened
from .monitor import gpu_figures as figures
from .monitor.load import fullness_style

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
    abreast = lines_abreast(len(states), width, height, GLANCE_LAYOUTS[-1][0])
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
    told = f"{figures.utilization(state.sample, 4)[0]}  {figures.memory(state.sample, 11)[0]}  "
    held = [f"{user.name}{_size(user.memory_bytes or 0)}" for user in state.users or ()]
    text = ", ".join(held) or (HIDDEN if state.is_taken else "users n/a" if state.users is None else "free")
    style = "$text-warning" if held or state.is_taken else "$muted"
    if state.sample.lost:
        text, style = "lost: no longer answers", "$text-error"
    room = width - len(head) - len(told)
    return Content.assemble(head, told, (shortened(text, room), style))


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


def _of_sample(show: Callable[[GpuSample, int], StyledText]) -> Callable[[GpuState, int], StyledText]:
    return lambda state, width: show(state.sample, width)


def _memory_bar(state: GpuState, width: int) -> StyledText:
    share = figures.memory_share(state.sample) or 0.0
    return filled_bar(share, width), fullness_style(share) or "$accent"


def _power(state: GpuState, width: int) -> StyledText:
    text, style = figures.power(state.sample, width)
    return text, "$text-warning" if state.sample.throttle else style


def _throttle(state: GpuState, width: int) -> StyledText:
    reasons = [figures.SHORTER.get(reason, reason) for reason in state.sample.throttle or ()]
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


UTILIZATION_BAR, MEMORY = _of_sample(figures.utilization_bar), _of_sample(figures.memory)
UTILIZATION = GlanceColumn("%", 4, _of_sample(figures.utilization))
TEMPERATURE = GlanceColumn("°C", 5, _of_sample(figures.temperature))
MEMORY_OF, POWER_OF = GlanceColumn("GiB", 11, MEMORY), GlanceColumn("W", 9, _power)
CLOCK_OF = GlanceColumn("MHz", 13, _of_sample(figures.sm_clock))
USERS = GlanceColumn("users", 0, _users)
NARROWEST = (
    UTILIZATION._replace(width=3),
    GlanceColumn("GiB", 3, MEMORY),
    TEMPERATURE._replace(width=3),
    GlanceColumn("W", 3, _power),
)
GLANCE_LAYOUTS: tuple[tuple[int, Sequence[GlanceColumn]], ...] = (
    (
        108,
        (
            GlanceColumn("", 14, UTILIZATION_BAR),
            UTILIZATION,
            GlanceColumn("", 10, _memory_bar),
            MEMORY_OF,
            TEMPERATURE,
            POWER_OF,
            CLOCK_OF,
            USERS,
        ),
    ),
    (70, (GlanceColumn("", 7, UTILIZATION_BAR), UTILIZATION, MEMORY_OF, TEMPERATURE, POWER_OF, USERS)),
    (54, (UTILIZATION, MEMORY_OF, TEMPERATURE, POWER_OF, USERS)),
    (
        33,
        (
            UTILIZATION,
            GlanceColumn("GiB", 8, MEMORY),
            TEMPERATURE,
            GlanceColumn("W", 5, _power),
            GlanceColumn("", 0, _throttle),
        ),
    ),
    (18, NARROWEST),
)
"""Least width of a GPU in cells, and the figures shown from that width on."""
