"""The results of a session in one line, to be pasted into a message: what was measured, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...plan.plan import RunSpec
from ...plan.workload import Workload
from ...text.units import interval, percent, rate, ratio
from ..analysis import Analysis
from ..environment import device_names
from ..headline import doubt
from ..results.result import Result
from ..trained import model_and_precision


def result_line(analysis: Analysis) -> str:
    """Return the run on the most devices, the fastest of several, with the figures that it has.

    As in `resnet50 bf16, 8 x NVIDIA H100: 18,400 samples/s, 7.60x one device (95%: 7.50x to 7.70x), MFU
    41.0%; input 2.0%, exposed communication 6.0%` and what discredits it.
    """
    measured = [each for each in analysis.results if each.throughput is not None]
    if not measured:
        why = analysis.headline or "nothing was measured"
        return f"{model_and_precision(_workloads(analysis))}: {why}".removeprefix(": ")
    best = max(measured, key=lambda each: (each.devices, each.throughput or 0.0))
    spec = next(each.spec for each in analysis.configurations if each.spec.id == best.run)
    line = f"{_subject(spec)}: {', '.join(_figures(best, analysis.results))}"
    line = "; ".join(filter(None, (line, ", ".join(_shares(best)))))
    baseline = [each for each in analysis.results if each.run == best.baseline]
    return line + doubt(analysis.diagnoses_by_run, best, *baseline)


def _workloads(analysis: Analysis) -> list[Workload]:
    return [workload for each in analysis.configurations for workload in each.spec.workloads]


def _subject(spec: RunSpec) -> str:
    how = "" if spec.mode == "single" else f" {spec.mode}"
    return f"{model_and_precision(spec.workloads)}, {device_names(spec.devices)}{how}"


def _figures(best: Result, found: Sequence[Result]) -> Iterator[str]:
    yield rate(best.throughput)
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
