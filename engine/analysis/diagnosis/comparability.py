"""Rules on whether a run is comparable with its repeats and its baseline, and whether they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...plan.workload.workload import Workload
from ...statistics import spans_one
from ...text.units import interval, rate, ratio
from ..results.baseline import is_super_linear
from ..results.comparable import differences
from .case import Case, Diagnosis


def unequal_repeats(case: Case) -> Iterator[Diagnosis]:
    """Find repeats of a run that did not measure the same thing."""
    for run in case.trained:
        repeats = run.configuration.usable
        apart = [
            (f"repeat {other.spec.repeat} against repeat {repeats[0].spec.repeat}", text)
            for other in repeats[1:]
            for text in differences(other, repeats[0])
        ]
        if apart:
            yield run.diagnosis(
                "unequal repeats",
                "severe",
                "its repeats differ in their settings, so that their mean describes none of them",
                apart,
                "measure again, and change neither files nor software while a session runs",
            )


def not_comparable(case: Case) -> Iterator[Diagnosis]:
    """Find runs that differ from their baseline in more than the variable under test."""
    for run in case.trained:
        baseline = case.baseline(run)
        if baseline is None or baseline.result.throughput is None or run.result.speedup is not None:
            continue
        if apart := differences(run.configuration.runs[0], baseline.configuration.runs[0]):
            yield run.diagnosis(
                "not comparable",
                "warning",
                f"no speedup over {baseline.result.label}: they differ in more than mode, devices and batch",
                [(f"against {baseline.result.label}", text) for text in apart],
                _advice(apart),
            )


def _advice(apart: Sequence[str]) -> str:
    """Return what to do about differences that were not declared."""
    keys = [key for key in (text.partition(":")[0] for text in apart) if key in Workload.__struct_fields__]
    if not keys:
        return "measure both with the same settings; gpubench-tui compare sets two sessions side by side"
    return (
        f"measure both with the same settings; to test {keys[0]} itself, vary it on purpose: "
        f"gpubench-tui run PRESET --vary {keys[0]}=A,B, or [matrix.vary] in the preset; gpubench-tui compare "
        "sets two sessions side by side"
    )


def super_linear(case: Case) -> Iterator[Diagnosis]:
    """Find speedups that the number of devices cannot explain."""
    for run in case.trained:
        baseline, efficiency = case.baseline(run), run.result.efficiency
        if baseline is None or efficiency is None:
            continue
        if not is_super_linear(efficiency, run.result.efficiency_interval):
            continue
        devices = run.spec.device_count / baseline.spec.device_count
        if devices < 1:
            continue
        batches = run.spec.batch_per_device(), baseline.spec.batch_per_device()
        yield run.diagnosis(
            "super-linear",
            "severe",
            f"{ratio(run.result.speedup)} the throughput of {baseline.result.label}, more than its "
            "devices can give: something slowed the baseline, or they do not do the same work",
            (
                (
                    "speedup",
                    f"{ratio(run.result.speedup)}, of which its devices account for {ratio(devices)} at most",
                ),
                (
                    f"throughput of {baseline.result.label}",
                    rate(baseline.result.throughput, baseline.result.unit),
                ),
                ("batch per device", f"{batches[0]} against {batches[1]}"),
            ),
            "measure again on a quiet machine with repeats = 3; where the batches differ, a smaller one may "
            "fit caches better, which a baseline at that batch would show",
        )


def no_difference(case: Case) -> Iterator[Diagnosis]:
    """Find speedups whose interval contains 1."""
    for run in case.trained:
        within, baseline = run.result.speedup_interval, case.baseline(run)
        if baseline is None or not spans_one(within):
            continue
        more = run.spec.device_count > baseline.spec.device_count
        yield run.diagnosis(
            "no difference",
            "warning" if more else "info",
            f"not measurably faster or slower than {baseline.result.label}"
            + (", although it has more devices" if more else ""),
            (
                ("speedup", ratio(run.result.speedup)),
                ("95% interval of the speedup", interval(within, ratio)),
            ),
            "take neither for the faster; a longer measure.seconds or more repeats show smaller differences",
        )
