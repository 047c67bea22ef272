"""The panel of this machine's devices, sampled live: CPU, memory, GPUs and who uses them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from .panel import Panel

if TYPE_CHECKING:
    from ...engine.host.facts import Host
    from ...engine.record.history import GpuHistory
    from ..data.launch_feed import DevicesSampled

LEAST_LINES = 4
"""Lines for the GPUs at least; in a taller window a quarter of it."""

FOOTER_LINES = 1
"""Lines of the footer, which no notification covers."""


class DevicesPanel(Panel):
    """Shows the newest samples; enlarged also the processes on the GPUs, and the history of their figures."""

    def __init__(self, title: str, *, id: str, classes: str = "") -> None:  # noqa: A002
        super().__init__(title, id=id, classes=classes)
        self._history: dict[int, GpuHistory] = {}
        self._began = time.monotonic()
        self._now = 0.0
        """Seconds from the first frame to the newest sample."""
        self.enlarged = False
        """Whether the panel has the screen for itself."""
        self.stretch = 0
        """Place of the shown stretch of time among those that can be chosen."""

    def on_resize(self) -> None:
        """Keep the screen's notifications above the panel, so that they cover none of its figures."""
        below = 0 if self.enlarged else self.outer_size.height
        for rack in self.screen.query("ToastRack"):
            rack.styles.margin = (0, 0, below + FOOTER_LINES, 0)

    def add(self, sampled: DevicesSampled) -> None:
        """Keep samples for the history."""
        from ...engine.record.history import GpuHistory

        self._now = time.monotonic() - self._began
        for sample in sampled.gpus:
            self._history.setdefault(sample.index, GpuHistory(sample)).add(self._now, sample)

    def draw(self, sampled: DevicesSampled, machine: Host, chosen: Sequence[int] | None) -> None:
        """Show the samples of a machine; `chosen`: indices of the GPUs that runs may use, None for all."""
        from ..data.gpu_users import gpu_states
        from ..render.gpu_glance import gpu_glance
        from ..render.monitor.cpu_strip import cpu_line, cpu_strip
        from ..render.monitor.gpu_strip import throttled_gpus

        if not sampled.gpus:
            self.set_title("CPU, no GPUs")
            self.show(cpu_strip(sampled.cpu, self.columns))
            return
        throttled = throttled_gpus(sampled.gpus)
        states = gpu_states(machine.gpus, sampled.gpus, chosen)
        marked = "" if all(state.is_chosen for state in states) else ", * chosen for runs"
        warning = f"throttled: {throttled}" if throttled else ""
        self.set_title("GPUs", _versions(machine) + marked, warning=warning)
        height = max(LEAST_LINES, self.screen.size.height // 4)
        gpus = self._details() if self.enlarged else gpu_glance(states, self.columns, height)
        self.show(Content("\n").join([cpu_line(sampled.cpu, self.columns), gpus]))

    def _details(self) -> Content:
        """Return the GPUs with their processes and the history of their figures."""
        from ..render.monitor.gpu_details import gpu_details
        from ..render.monitor.gpu_strip import GpuPast
        from ..render.monitor.time_range import TIME_RANGES, TimeRange

        ranges = (TimeRange("all since the start", None), *TIME_RANGES[1:])
        past = GpuPast(self._history, self._now, ranges[self.stretch % len(ranges)])
        return gpu_details(past, {}, self.columns, self.lines - 1)


def _versions(machine: Host) -> str:
    software = machine.software
    driver = f"driver {software.driver}" if software.driver else "driver n/a"
    return f"{driver}, CUDA {software.driver_cuda}" if software.driver_cuda else driver
