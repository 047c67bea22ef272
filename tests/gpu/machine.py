"""Machine under acceptance: its devices, its time budget and its name in the table."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from gpubench_tui.engine.host.facts import Host
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.cells import uses_gpus
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.plan.preset.library import find_preset


@dataclass
class Machine:
    """Devices and time budget of the acceptance."""

    host: Host
    devices: tuple[Device, ...]
    """GPUs, or two CPU shares where these stand in for GPUs."""
    budget: float
    """Seconds for the whole acceptance."""
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def inspect(cls, *, stand_in: bool, budget: float) -> Machine:
        """Inspect this machine; with `stand_in` its GPUs are left unused."""
        host = inspect_host([] if stand_in else None)
        plan = make_plan("quickstart", find_preset("quickstart").read(), host)
        return cls(host, plan.devices, budget)

    @property
    def has_gpu(self) -> bool:
        """Whether the devices are GPUs."""
        return uses_gpus(self.host)

    @property
    def pair(self) -> tuple[Device, ...]:
        """Two devices, or the only GPU twice."""
        return self.devices[:2] if len(self.devices) > 1 else self.devices * 2

    @property
    def left(self) -> float:
        """Seconds of the budget that are left, at least 0."""
        return max(0.0, self.began + self.budget - time.monotonic())

    def seconds_for(self, what: str, most: float) -> float:
        """Return a time limit within the budget; skips the test where that is used up."""
        if self.left < 1:
            pytest.skip(f"the budget of {self.budget:.0f} s was over before {what}")
        return min(most, self.left)

    def run(
        self, arguments: Sequence[str], what: str, most: float, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments and return what it printed, whatever its exit status.

        Fails the test after `most` seconds; skips it where the budget is over before.
        """
        try:
            return subprocess.run(
                [sys.executable, *arguments],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=self.seconds_for(what, most),
            )
        except subprocess.TimeoutExpired:
            self.seconds_for(f"the end of {what}", most)
            pytest.fail(f"{what} took more than {most:.0f} s")

    @property
    def device_name(self) -> str:
        """`NVIDIA H200`, `2 x NVIDIA L4`, or the processor that stands in."""
        if not self.has_gpu:
            return f"{len(self.host.cpu.cores)} cores of {self.host.cpu.model}"
        names = [gpu.name for gpu in self.host.gpus]
        different = dict.fromkeys(names)
        return " + ".join(f"{names.count(n)} x {n}" if names.count(n) > 1 else n for n in different)

    @property
    def circumstances(self) -> str:
        """Driver, torch and date, which follow the device's name in the table."""
        software = self.host.software
        driver = f"driver {software.driver}, " if self.has_gpu else ""
        return f"{driver}torch {software.torch}, {time.strftime('%Y-%m-%d')}"


def why_no_gpu(host: Host) -> str | None:
    """Return one line on why no GPU can be used here; None where one can."""
    if uses_gpus(host):
        return None
    if host.gpus:
        return f"torch {host.software.torch} was not built for CUDA"
    return host.notes[0] if host.notes else "no NVIDIA GPU was found"
