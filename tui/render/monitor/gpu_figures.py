"""Figures of a GPU in few cells, each with its style: the same wherever GPUs are shown."""

from __future__ import annotations

from ....engine.host.facts import GpuSample
from ....engine.text.units import GIB, NOT_AVAILABLE
from ..drawing.bars import filled_bar
from ..drawing.grid import StyledText
from .load import fullness_style, heat_style, load_style

SHORTER = {
    "slowdown (hardware)": "slowdown",
    "thermal (software)": "thermal",
    "thermal (hardware)": "thermal",
    "reliability limit": "reliable",
    "power brake": "brake",
    "board limit": "board",
}
"""Short forms of throttle reasons for narrow places."""


def utilization_bar(sample: GpuSample, width: int) -> StyledText:
    """Return the utilisation as a bar."""
    share = (sample.utilization or 0.0) / 100
    return filled_bar(share, width), load_style(share)


def utilization(sample: GpuSample, width: int) -> StyledText:
    """Return the utilisation in percent."""
    return _figure(sample.utilization, _unit(width, (4, "%")), width)


def memory_share(sample: GpuSample) -> float | None:
    """Return the share of the memory that is in use."""
    used, total = sample.memory_used_bytes, sample.memory_total_bytes
    return used / total if used is not None and total else None


def memory(sample: GpuSample, width: int) -> StyledText:
    """Return the memory in use, and where there is room that of the GPU."""
    used, total = sample.memory_used_bytes, sample.memory_total_bytes
    style = fullness_style(memory_share(sample))
    if used is None or total is None or width < 8:
        gib = None if used is None else used / GIB
        text, missing = _figure(gib, _unit(width, (7, " GiB"), (4, "G")), width)
        return text, style or missing
    return f"{used / GIB:.0f}/{total / GIB:.0f}{_unit(width, (11, ' GiB'), (8, 'G'))}".rjust(width), style


def temperature(sample: GpuSample, width: int) -> StyledText:
    """Return the temperature."""
    text, missing = _figure(sample.temperature, _unit(width, (4, "°C")), width)
    return text, heat_style(sample.temperature) or missing


def power(sample: GpuSample, width: int) -> StyledText:
    """Return the power, and where there is room its limit."""
    limit = sample.power_limit_watts if width >= 9 else None
    return _of(sample.power_watts, limit, _unit(width, (6, " W"), (4, "W")), width)


def sm_clock(sample: GpuSample, width: int) -> StyledText:
    """Return the clock and its limit."""
    return _of(sample.sm_clock_mhz, sample.sm_clock_max_mhz, " MHz", width)


def _unit(width: int, *units: tuple[int, str]) -> str:
    """Return the first of some units for which the cells are enough, given with their number; else none."""
    return next((unit for cells, unit in units if width >= cells), "")


def _of(value: float | None, limit: float | None, unit: str, width: int) -> StyledText:
    if value is None or limit is None:
        return _figure(value, unit, width)
    return f"{value:.0f}/{limit:.0f}{unit}".rjust(width), ""


def _figure(value: float | None, unit: str, width: int) -> StyledText:
    if value is None:
        return NOT_AVAILABLE.rjust(width), "$muted"
    return f"{value:.0f}{unit}".rjust(width), ""
