"""The machine in one line: its torch version is there however narrow the window is."""

from __future__ import annotations

import pytest
from building import recorded
from gpubench_tui.tui.data.planned_presets import Inspection
from gpubench_tui.tui.render.planned_preset import machine_line
from msgspec.structs import replace


@pytest.mark.parametrize(
    ("gpus", "width", "line"),
    [
        (2, 120, "2 x NVIDIA H100 80GB HBM3 (GPU 0-1 of 8), 64 CPUs, torch 2.13.0+cu130"),
        (2, 90, "2 x H100 80GB HBM3 (GPU 0-1 of 8), 64 CPUs, torch 2.13.0+cu130"),
        (2, 80, "2 x H100 80GB HBM3 (GPU 0-1 of 8), torch 2.13.0+cu130"),
        (2, 62, "GPU 0-1 of 8, torch 2.13.0+cu130"),
        (8, 75, "8 x H100 80GB HBM3, 64 CPUs, torch 2.13.0+cu130"),
        (8, 40, "8 GPUs, torch 2.13.0+cu130"),
        (0, 80, "64 x AMD EPYC 9554, torch 2.13.0+cu130"),
        (0, 40, "torch 2.13.0+cu130"),
    ],
)
def test_what_matters_least_is_left_out_first(gpus: int, width: int, line: str) -> None:
    machine = recorded.host(8 if gpus else 0, cores=64)
    machine = replace(
        machine,
        software=replace(machine.software, torch="2.13.0+cu130"),
        gpus=tuple(replace(gpu, name="NVIDIA H100 80GB HBM3") for gpu in machine.gpus),
    )
    chosen = replace(machine, gpus=machine.gpus[:gpus])
    inspection = Inspection((), chosen, machine)
    assert machine_line(inspection, width).plain == f"gpubench-tui  bench01  {line}"
