"""Series of results that differ in mode and devices alone: what a question about devices compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...plan.preset.vary import settings_text
from ..results.result import Result
from .inquiry import Inquiry
from .words import Verdict, judge


class Speedup(NamedTuple):
    """A result on more devices than its baseline."""

    result: Result
    baseline: Result
    value: float
    devices: float
    """Ratio of its devices to the baseline's."""
    verdict: Verdict

    @property
    def efficiency(self) -> float:
        """Speedup over the ratio of devices."""
        return self.value / self.devices


class SpeedupSeries(NamedTuple):
    """Speedups of one workload at one batch, with one value of each variable under test."""

    where: str
    """Workload and batch as far as they tell it from others: `with resnet34 at batch 512`; else empty."""
    speedups: Sequence[Speedup]

    @property
    def on_most_devices(self) -> list[Speedup]:
        """Speedups on the most devices, the best mode first that is not doubted."""
        most = max(each.result.devices for each in self.speedups)
        there = [each for each in self.speedups if each.result.devices == most]
        return sorted(there, key=trusted, reverse=True)


def trusted(speedup: Speedup) -> tuple[bool, float]:
    """Return what ranks speedups: the highest first, and those that are doubted last."""
    return speedup.verdict != Verdict.DOUBTED, speedup.value


def series_of(inquiry: Inquiry) -> list[SpeedupSeries]:
    """Return the speedups over fewer devices, by workload and batch."""
    found: dict[tuple[str, int, str], list[Speedup]] = {}
    for result in inquiry.results:
        baseline = inquiry.baseline(result)
        if baseline is None or result.speedup is None or result.devices <= baseline.devices:
            continue
        if result.efficiency is None or result.workload != baseline.workload:
            continue
        devices = result.devices / baseline.devices
        doubted = inquiry.is_doubted(result, baseline)
        verdict = judge(result.speedup, result.speedup_interval, devices, doubted=doubted)
        key = (result.workload, inquiry.spec(result).workload.batch, settings_text(result.varied))
        found.setdefault(key, []).append(Speedup(result, baseline, result.speedup, devices, verdict))
    workloads, batches = ({key[place] for key in _planned(inquiry)} for place in (0, 1))
    return [
        SpeedupSeries(_where(name, batch, len(workloads) > 1, len(batches) > 1, values), speedups)
        for (name, batch, values), speedups in found.items()
    ]


def _planned(inquiry: Inquiry) -> list[tuple[str, int]]:
    return [(each.workload, inquiry.spec(each).workload.batch) for each in inquiry.results]


def _where(workload: str, batch: int, several_workloads: bool, several_batches: bool, values: str) -> str:
    with_what = " and ".join(filter(None, (workload if several_workloads else "", values)))
    parts = [f"with {with_what}" if with_what else "", f"at batch {batch}" if several_batches else ""]
    return " ".join(filter(None, parts))
