"""The panel of this machine's devices, sampled live: CPU, memory, GPUs and who uses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from .panel import Panel

if TYPE_CHECKING:
    from ...engine.host.facts import Host
    from ..data.launch_feed import DevicesSampled

LEAST_LINES = 4
"""Lines for the GPUs at least; in a taller window a quarter of it."""


class DevicesPanel(Panel):
    """Shows the newest samples."""

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
        host, gpus = cpu_line(sampled.cpu, self.columns), gpu_glance(states, self.columns, height)
        self.show(Content("\n").join([host, gpus]))


def _versions(machine: Host) -> str:
    software = machine.software
    driver = f"driver {software.driver}" if software.driver else "driver n/a"
    return f"{driver}, CUDA {software.driver_cuda}" if software.driver_cuda else driver
