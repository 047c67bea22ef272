"""The results of a session in one line, to be pasted into a message: what was measured, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...plan.plan import RunSpec
from ...plan.workload.workload import Workload
from ...text.units import interval, percent, rate, ratio
from ..analysis import Analysis
from ..answers.ending import shortfall
from ..answers.kinds import answer_proper
from ..environment import device_names
from ..headline import doubt
from ..results.result import Result
from ..trained import model_and_precision


def result_line(analysis: Analysis) -> str:
    """Return the answer, then the run on the most devices, the fastest of several, with its figures.

    As in `Does training scale on this machine? Yes: 7.60x for 8 devices (95%); resnet50 bf16, 8 x NVIDIA H100
    ddp: 18,400 samples/s, MFU 41.0%; input 2.0%, exposed communication 6.0%`, and what discredits it. Without
    an answer the speedup is one of the figures, with its interval.
    """
    measured = [each for each in analysis.results if each.throughput is not None]
    if not measured:
        why = analysis.headline or "nothing was measured"
        return f"{model_and_precision(_workloads(analysis))}: {why}".removeprefix(": ")
    inquiry = analysis.inquiry
    said = answer_proper(inquiry)
    best = max(measured, key=lambda each: (each.devices, each.throughput or 0.0))
    figures = ", ".join(_figures(best, () if said else analysis.results))
    parts = [f"{analysis.session.plan.question} {said.text}".strip()] if said else []
    parts += [f"{_subject(inquiry.spec(best))}: {figures}", ", ".join(_shares(best))]
    about = [*(said.about if said else ()), best]
    if (baseline := inquiry.baseline(best)) is not None:
        about.append(baseline)
    return "; ".join(filter(None, parts)) + doubt(inquiry, *about) + shortfall(inquiry)


def _workloads(analysis: Analysis) -> list[Workload]:
    return [workload for each in analysis.configurations for workload in each.spec.workloads]


def _subject(spec: RunSpec) -> str:
    how = "" if spec.mode == "single" else f" {spec.mode}"
    return f"{model_and_precision(spec.workloads)}, {device_names(spec.devices)}{how}"


def _figures(best: Result, found: Sequence[Result]) -> Iterator[str]:
    yield rate(best.throughput, best.unit)
    baseline = next((each for each in found if each.run == best.baseline), None)
    if best.speedup is not None and baseline is not None and baseline is not best:
        against = "one device" if baseline.devices == 1 else baseline.label
        within = f" (95%: {interval(best.speedup_interval, ratio)})" if best.speedup_interval else ""
        yield f"{ratio(best.speedup)} {against}{within}"
    if best.compute is not None and best.compute.mfu is not None:
        yield f"MFU {percent(best.compute.mfu)}"


def _shares(best: Result) -> Iterator[str]:
    """Yield the shares of a step that hold training back, where they were measured."""
    if best.phases is not None:
        yield f"input {percent(best.phases.shares['input'])}"
        if best.phases.shares["exposed"]:
            yield f"exposed communication {percent(best.phases.shares['exposed'])}"
