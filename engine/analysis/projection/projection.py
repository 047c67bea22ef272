"""Projections of a session: what more devices would give, and how certain that is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from ...statistics import Interval
from ..answers.inquiry import HOLDS_BACK, Inquiry
from .check import ModelCheck, check_model, model_error
from .limits import Wanted, why_not
from .link_rate import LinkRate
from .series import DeviceSeries, device_series, island
from .step_model import Method, StepModel, batch_of_step, step_model

USUAL_COUNTS = (8, 64, 1024)
"""Numbers of devices that are projected unless others are asked for."""
WIDEST = 0.9
"""Largest half width of an interval, as a share of the figure."""


class ProjectedRun(Struct, frozen=True, kw_only=True):
    """Figures of a run that was not measured."""

    devices: int
    machines: int
    """Machines, each with as many devices as the measured links connect."""
    passes: int
    """Forward and backward passes of a step."""
    global_batch: int
    """Samples of a step on all devices."""
    step_seconds: float
    throughput: float
    """Samples of all devices a second."""
    interval: Interval
    """95% interval: noise of the windows and of the simulated steps, and the model's own error."""
    throughput_per_device: float
    efficiency: float | None
    """Throughput over that of one device alone times their number; None where that was not measured."""
    network_only: float | None
    """Throughput if more devices meant longer collectives alone, and no waiting for the slowest of more
    ranks; None where the method does not tell them apart."""
    thin_noise: bool
    """Whether there are more devices than measured steps, so that their noise is a lower bound."""


class Projection(Struct, frozen=True, kw_only=True):
    """Projection from the runs of one mode, workload and batch per device."""

    kind: Literal["projected"] = "projected"
    run: str
    """Id of the run on the most devices, from which the figures are projected."""
    label: str
    devices: int
    """Devices of that run."""
    reach: int
    """Devices that the measured links connect; more need the rate of a link that was not measured."""
    batch_per_device: int
    unit: str
    method: Method | None
    """None where the figures allow none."""
    rates: tuple[LinkRate, ...] = ()
    """Rates fitted to the run's measured curves, within a machine."""
    link: LinkRate | None = None
    """Rate between machines that the user gave."""
    check: ModelCheck | None = None
    points: tuple[ProjectedRun, ...] = ()
    doubts: tuple[str, ...] = ()
    """Names of diagnoses which say that figures of the measured runs are wrong."""
    refused: dict[str, tuple[int, ...]] = {}
    """Numbers of devices for which nothing is projected, by the reason."""


def projections(
    inquiry: Inquiry,
    counts: Iterable[int] | None = None,
    link: LinkRate | None = None,
    global_batch: int | None = None,
) -> tuple[Projection, ...]:
    """Project every series of a session's runs to these numbers of devices.

    Without any, they are the usual ones beyond those measured, and as many as the measured links connect.

    `link` is the rate between machines, `global_batch` the samples of a step where they are to stay the same
    by fewer passes on more devices.
    """
    asked = None if counts is None else sorted(set(counts))
    return tuple(
        _project(inquiry, series, asked, link, global_batch)
        for series in device_series(inquiry.session, inquiry.configurations, inquiry.results)
    )


def _project(
    inquiry: Inquiry,
    series: DeviceSeries,
    counts: Sequence[int] | None,
    link: LinkRate | None,
    global_batch: int | None,
) -> Projection:
    model, reach = step_model(series), island(inquiry.session, series.largest)
    check = check_model(model) if model is not None else None
    points: list[ProjectedRun] = []
    refused: dict[str, tuple[int, ...]] = {}
    usual = sorted(each for each in {reach, *USUAL_COUNTS} if each > series.largest.devices)
    for devices in usual if counts is None else counts:
        wanted = Wanted(devices, reach, link, global_batch)
        why = why_not(series, model, check, wanted)
        if why:
            refused[why] = (*refused.get(why, ()), devices)
        else:
            assert model is not None
            points.append(_point(model, check, wanted))
    measured = series.largest.result
    return Projection(
        run=measured.run,
        label=measured.label,
        devices=measured.devices,
        reach=reach,
        batch_per_device=measured.batch_per_device,
        unit=measured.unit,
        method=model.method if model is not None else None,
        rates=model.rates if model is not None else (),
        link=link,
        check=check,
        points=tuple(points),
        doubts=tuple(name for name in inquiry.severe(*series.results) if name not in HOLDS_BACK),
        refused=refused,
    )


def _point(model: StepModel, check: ModelCheck | None, wanted: Wanted) -> ProjectedRun:
    largest, alone = model.largest, model.series.alone
    spec, measured = largest.configuration.spec, largest.result
    layout, between, devices = wanted.layout, wanted.between, wanted.devices
    passes = wanted.passes(largest)
    assert measured.throughput is not None and passes is not None
    step = model.step(layout, passes, between)
    samples = batch_of_step(spec, devices, passes) / measured.global_batch
    work = measured.throughput * largest.step_seconds * samples
    rate = work / step.mean
    own = (
        (measured.interval[1] - measured.interval[0]) / 2 / measured.throughput if measured.interval else 0.0
    )
    simulated = model.uncertainty(layout, between) / step.mean
    half = min(WIDEST, math.hypot(own, simulated, model_error(check, largest.devices, devices)))
    most = (measured.interval[1] if measured.interval else measured.throughput) * devices / largest.devices
    one = alone.result.throughput if alone is not None else None
    return ProjectedRun(
        devices=devices,
        machines=layout.machines,
        passes=passes,
        global_batch=batch_of_step(spec, devices, passes),
        step_seconds=step.mean,
        throughput=rate,
        interval=(rate / (1 + half), max(rate, min(rate / (1 - half), most))),
        throughput_per_device=rate / devices,
        efficiency=rate / devices / one if one else None,
        network_only=work / step.quiet if model.buckets is not None else None,
        thin_noise=step.beyond > 0,
    )
