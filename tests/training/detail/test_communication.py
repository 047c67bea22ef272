"""The communication hook changes no gradient, and collectives are timed; two ranks of gloo."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.detail.bandwidth import FACTOR, LARGEST, SMALLEST, fitting_sizes
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.parallel.group import Group

pytestmark = pytest.mark.slow


def saved_by(ranks: ModuleType, folder: Path, worker: str) -> list[Any]:
    run = ranks.cpu_run("ddp", 2, Workload(model="lenet"))
    done = ranks.launch(run, folder, worker=f"alone:{worker}")
    assert not done.failed, done.log.read_text()
    return [torch.load(folder / "meeting" / f"rank{rank}.pt") for rank in range(2)]


def test_the_hook_changes_no_gradient_and_counts_every_byte(ranks: ModuleType, tmp_path: Path) -> None:
    first, second = saved_by(ranks, tmp_path, "hook_gradients")
    for rank in (first, second):
        for without, with_hook in zip(rank["without"], rank["with"], strict=True):
            assert len(without) == len(with_hook) > 0
            assert all(map(torch.equal, without, with_hook))
        assert sum(rank["sizes"]) == 4 * 1_147_466
    # Averaged over both ranks, which had different images.
    assert all(map(torch.equal, first["with"][0], second["with"][0]))
    assert first["sizes"] == second["sizes"]


def test_replicas_are_equal_bit_for_bit_and_not_as_numbers(ranks: ModuleType, tmp_path: Path) -> None:
    """A training that diverged to NaN is still one training."""
    assert saved_by(ranks, tmp_path, "agreement") == [[True, True, False, False]] * 2


def test_every_collective_has_a_curve_that_all_ranks_agree_on(ranks: ModuleType, tmp_path: Path) -> None:
    first, second = saved_by(ranks, tmp_path, "bandwidths")
    assert first == second
    assert set(first) == {"all_reduce", "all_gather", "reduce_scatter"}
    for sizes, seconds in first.values():
        assert sizes == [SMALLEST * FACTOR**number for number in range(len(sizes))]
        assert len(sizes) == len(seconds) > 0
        assert all(each > 0 for each in seconds)


def test_sizes_end_where_memory_does() -> None:
    class Devices(CpuDevices):
        free = 1e15

        def free_memory(self, ranks: int) -> float:
            return self.free

    devices = Devices()
    assert list(fitting_sizes(Group(), devices))[-1] == LARGEST
    devices.free = 8 * 70_000
    assert list(fitting_sizes(Group(), devices)) == [1024, 4096, 16384, 65536]
    devices.free = 0
    assert list(fitting_sizes(Group(), devices)) == [1024]
