"""Check of a projection's method: its error in the run on the most devices that was measured."""

from __future__ import annotations

import math
from typing import NamedTuple

from msgspec import Struct

from .collectives import Layout
from .series import DeviceSeries
from .step_model import StepModel, passes_of, step_model

MOST_MISSED = 0.10
"""Error of the check beyond which nothing is projected."""
TABLES_ERROR = 0.081
"""Largest error of throughput that the proportional model makes on published tables, at up to eight times
the devices that it is calibrated on: see docs/method.md."""
TABLES_DOUBLINGS = 3.0
"""Doublings of the number of devices that these tables span."""


class ModelCheck(Struct, frozen=True, kw_only=True):
    """A measured run beside what the method says about it."""

    devices: int
    held_out: bool
    """Whether the run was left out and projected from fewer devices; else its step was put together from its
    own parts, because no other run on several devices was measured."""
    basis: tuple[int, ...]
    """Numbers of devices of the runs that it is projected from."""
    projected: float
    """Throughput by the method, in samples/s."""
    measured: float
    """Throughput in the windows, in samples/s."""
    error: float
    """Projected over measured, minus 1."""

    @property
    def too_far(self) -> bool:
        """Whether the method misses the run by too much to project any other."""
        return abs(self.error) > MOST_MISSED


class _Said(NamedTuple):
    step: float
    basis: tuple[int, ...]
    held_out: bool


def check_model(model: StepModel) -> ModelCheck | None:
    """Check a model on the largest run of its series; None where nothing can be said about that."""
    largest = model.largest
    said = _held_out(model) or _reproduced(model)
    if said is None:
        return None
    measured = largest.result.throughput
    assert measured is not None
    ratio = largest.step_seconds / said.step
    return ModelCheck(
        devices=largest.devices,
        held_out=said.held_out,
        basis=said.basis,
        projected=measured * ratio,
        measured=measured,
        error=ratio - 1,
    )


def model_error(check: ModelCheck | None, devices: int, target: int) -> float:
    """Return half the relative width of an interval that covers the model's own error.

    It is at least that on published tables, and that of the check; both grow with the doublings of the number
    of devices beyond those that they span.
    """
    doublings = math.log2(target / devices)
    tables = TABLES_ERROR * max(1.0, doublings / TABLES_DOUBLINGS)
    if check is None:
        return tables
    spanned = math.log2(check.devices / max(check.basis)) if check.held_out else 1.0
    return max(tables, abs(check.error) * max(1.0, doublings / spanned))


def _held_out(model: StepModel) -> _Said | None:
    """Project the largest run from those on fewer devices."""
    smaller = model.series.counts[:-1]
    if not smaller:
        return None
    series = DeviceSeries(model.series.alone, smaller)
    other = step_model(series, (model.method,))
    if other is None:
        return None
    step = other.step(Layout(model.largest.devices, 1), passes_of(model.largest)).mean
    basis = [one.devices for one in smaller[-1:]]
    if model.method == "proportional":
        basis.insert(0, 1)
    return _Said(step, tuple(basis), held_out=True)


def _reproduced(model: StepModel) -> _Said | None:
    step = model.reproduced()
    return None if step is None else _Said(step, (model.largest.devices,), held_out=False)
