"""Processes on a GPU or MIG slice: who they are, and how much of it each uses."""

from __future__ import annotations

from typing import Any

import psutil
from msgspec.structs import replace

from ...text.plain import cut_in_middle, unbroken
from ..facts import GpuProcess
from .nvml import Nvml

LONGEST_NAME = 60
"""Characters of a process's name at most."""


class ProcessesOfGpu:
    """The processes on a GPU or MIG slice, as NVML and the system tell; its methods raise `GpuLost`."""

    def __init__(self, nvml: Nvml, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle
        self._shares_until = 0
        """Time of the newest share of a process that the driver has told, on its own clock."""

    def owned(self) -> tuple[GpuProcess, ...] | None:
        """Return the processes that compute, with the user of each; None if the driver does not tell."""
        running = self._nvml.ask(
            "nvmlDeviceGetComputeRunningProcesses_v3",
            "nvmlDeviceGetComputeRunningProcesses_v2",
            of=(self._handle,),
        )
        if running is None:
            return None
        return tuple(
            GpuProcess(
                pid=process.pid,
                name=_process_name(process.pid),
                memory_bytes=process.usedGpuMemory,
                user=_process_user(process.pid),
            )
            for process in sorted(running, key=lambda process: int(process.pid))
        )

    def at_work(self) -> tuple[GpuProcess, ...] | None:
        """Return the processes with user and utilisation of each, also those that only draw."""
        found, shares = self.owned(), self._take_shares()
        if shares is None:
            return found
        listed = {process.pid for process in found or ()}
        drawing = (
            GpuProcess(pid, _process_name(pid), user=_process_user(pid))
            for pid in sorted(shares.keys() - listed)
        )
        return tuple(
            replace(process, utilization=shares.get(process.pid, 0.0))
            for process in (*(found or ()), *drawing)
        )

    def _take_shares(self) -> dict[int, float] | None:
        """Return the utilisation of each process that has run kernels since the last call, in percent.

        The driver keeps samples of the last seconds; of each process the newest counts.
        """
        samples = self._nvml.ask(("nvmlDeviceGetProcessUtilization", self._shares_until), of=(self._handle,))
        if samples is None:
            return None
        shares: dict[int, float] = {}
        for sample in sorted(samples, key=lambda sample: int(sample.timeStamp)):
            self._shares_until = max(self._shares_until, sample.timeStamp)
            if sample.smUtil <= 100:
                shares[sample.pid] = float(sample.smUtil)
        return shares


def _process_name(pid: int) -> str | None:
    try:
        # Chosen by its user, who may be another one.
        return cut_in_middle(unbroken(psutil.Process(pid).name()), LONGEST_NAME)
    except psutil.Error:
        return None


def _process_user(pid: int) -> str | None:
    try:
        return unbroken(psutil.Process(pid).username())
    except (psutil.Error, KeyError):  # a user id without a name
        return None
