"""The CPU now: load of each core, memory, and the share used by the session."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from ....engine.host.facts import CpuSample
from ....engine.text.units import GIB
from ..drawing.bars import block_cell, filled_bar


def cpu_strip(sample: CpuSample | None, width: int, pinned: Sequence[int] = ()) -> Content:
    """Return two lines: load of the cores, those in `pinned` highlighted; memory and the session's share."""
    if sample is None:
        return Content.styled("no sample yet", "$muted")
    return Content("\n").join(
        [_cores(sample.per_core, width, frozenset(pinned)), Content(cpu_summary(sample))]
    )


def cpu_line(sample: CpuSample, width: int) -> Content:
    """Return the host's CPU and memory in one line, with bars of the cores where there is room."""
    memory = cpu_summary(sample)
    room = width - len(memory) - len("CPU  ")
    busy = sum(sample.per_core) / len(sample.per_core) if sample.per_core else 0.0
    shortest = f"{busy:.0f}% of {len(sample.per_core)} cores"
    if room < len(shortest) + 6:
        return Content(f"CPU {shortest}, {memory}")
    cores = _cores(sample.per_core, room - 1, frozenset())
    return Content.assemble("CPU ", cores, " " * (room - cores.cell_length), memory)


def cpu_summary(sample: CpuSample) -> str:
    """Return the host's memory use and the session's share of cores and memory, in one line."""
    used, total = sample.memory_used_bytes / GIB, sample.memory_total_bytes / GIB
    machine = f"host memory {used:.1f}/{total:.1f} GiB"
    if not sample.session_memory_bytes:
        return machine
    own = f"{sample.session_percent / 100:.1f} cores {sample.session_memory_bytes / GIB:.1f} GiB"
    others = sample.others_percent
    beside = "" if others is None else f", others {max(0.0, others):.0f}% of its CPUs"
    return f"{machine}, session {own}{beside}"


def _cores(per_core: Sequence[float], width: int, pinned: frozenset[int]) -> Content:
    if not per_core:
        return Content.styled("cores n/a", "$muted")
    busy = sum(per_core) / len(per_core)
    text = f"{busy:3.0f}% of {len(per_core)} cores  "
    room = max(1, width - len(text))
    # With more cores than cells, neighbours share a cell, which shows the busiest of them.
    group = -(-len(per_core) // room)
    # Few cores get wider bars, which are easier to read than single cells.
    cells = 1 if len(per_core) * 2 > room else min(12, room // len(per_core) - 1)
    parts = [Content(text)]
    for first in range(0, len(per_core), group):
        share = max(per_core[first : first + group]) / 100
        style = "$primary" if not pinned or first in pinned else "$muted"
        bar = block_cell(share) if cells == 1 else filled_bar(share, cells) + " "
        parts.append(Content.styled(bar, style))
    return Content("").join(parts)
