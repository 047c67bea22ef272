"""The results of a session in one line, to be pasted into a message: what was measured, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...plan.plan import Device, RunSpec
from ...plan.workload.workload import Workload
from ...text.units import count, interval, percent, rate, ratio, whole_percent
from ..analysis import Analysis
from ..answers.ending import shortfall
from ..answers.inquiry import Inquiry
from ..answers.kinds import answer_proper
from ..answers.words import one_device
from ..environment import VENDOR
from ..headline import doubt
from ..results.result import Result
from ..trained import model_and_precision

BY_SPEEDUP = ("worth", "reach")
"""Kinds of questions whose answer is a speedup, which is among the figures."""
UNNAMED_MODES = ("single", "ddp")
"""Modes that the number of devices tells."""


def result_line(analysis: Analysis) -> str:
    """Return the figures of the run on the most devices, the fastest of several, and what discredits them.

    As in `resnet50 bf16, 8 x H100: 18,400 images/s, 7.60x one GPU (95%: 7.52x to 7.68x), MFU 41%; input 2%,
    exposed comm 6%`; then the answer to a question that is not about this speedup. Of a trial or a tune the
    headline, which is about what was changed.
    """
    measured = [each for each in analysis.results if each.throughput is not None]
    if not measured:
        why = analysis.headline or "nothing was measured"
        return f"{model_and_precision(_workloads(analysis))}: {why}".removeprefix(": ")
    inquiry = analysis.inquiry
    plan = analysis.session.plan
    if (plan.tune is not None or plan.trial is not None) and analysis.headline:
        return f"{_subject(inquiry.spec(measured[0]))}: {analysis.headline}"
    best = max(measured, key=lambda each: (each.devices, each.throughput or 0.0))
    baseline, said = inquiry.baseline(best), answer_proper(inquiry)
    scales = baseline is not None and baseline.devices < best.devices
    compared = baseline if scales or said is None else None
    figures = ", ".join(_figures(inquiry, best, compared))
    parts = [f"{_subject(inquiry.spec(best))}: {figures}", ", ".join(_shares(best))]
    about = [best, *filter(None, [baseline])]
    if said is not None and not (scales and analysis.session.plan.answer in BY_SPEEDUP):
        parts.append(f"{analysis.session.plan.question} {said.text}".strip())
        about += said.about
    return "; ".join(filter(None, parts)) + doubt(inquiry, *about) + shortfall(inquiry)


def _workloads(analysis: Analysis) -> list[Workload]:
    return [workload for each in analysis.configurations for workload in each.spec.workloads]


def _subject(spec: RunSpec) -> str:
    how = "" if spec.mode in UNNAMED_MODES else f" {spec.mode}"
    return f"{model_and_precision(spec.workloads)}, {_short_names(spec.devices)}{how}"


def _short_names(devices: Sequence[Device]) -> str:
    """Return the devices without their vendor, shares of a CPU without their cores."""
    if devices and devices[0].kind == "cpu":
        return count(len(devices), "CPU share")
    names = [device.name.removeprefix(VENDOR) for device in devices]
    return " + ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


def _figures(inquiry: Inquiry, best: Result, compared: Result | None) -> Iterator[str]:
    """Yield throughput, speedup over the run that it is to be compared with, and MFU."""
    yield rate(best.throughput, best.unit)
    if best.speedup is not None and compared is not None:
        is_one = compared.devices == 1 < best.devices
        against = one_device(inquiry.on_gpus(best)) if is_one else compared.label
        within = f" (95%: {interval(best.speedup_interval, ratio)})" if best.speedup_interval else ""
        yield f"{ratio(best.speedup)} {against}{within}"
    if best.compute is not None and best.compute.mfu is not None:
        yield f"MFU {_share(best.compute.mfu)}"


def _shares(best: Result) -> Iterator[str]:
    """Yield the shares of a step that hold training back, where they were measured."""
    if best.phases is not None:
        yield f"input {_share(best.phases.shares['input'])}"
        if best.phases.shares["exposed"]:
            yield f"exposed comm {_share(best.phases.shares['exposed'])}"


def _share(fraction: float) -> str:
    """Write a share in whole percent, one of less than 1% exactly."""
    return whole_percent(fraction) if fraction >= 0.01 else percent(fraction)
