"""Fused optimizers, which a GPU gets, run here by their CPU kernels: first steps overflow and are skipped."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import pytest
import torch
from gpubench_tui.engine.plan.workload.workload import Workload

pytestmark = pytest.mark.slow

PERCEPTRON = f"{Path(__file__).with_name('own_models.py')}:perceptron"

on_cpu = pytest.mark.skipif(
    not hasattr(torch.cpu.Stream, "record_event"), reason="fsdp needs torch 2.7 on a CPU"
)


@pytest.mark.parametrize(
    ("mode", "optimizer"),
    [
        *(("single", "sgd"), ("single", "adamw"), ("dp", "sgd"), ("ddp", "sgd")),
        *(pytest.param("fsdp", optimizer, marks=on_cpu) for optimizer in ("adamw", "sgd")),
    ],
)
def test_fused_optimizers_learn_as_unfused_ones_after_overflows(
    mode: str, optimizer: str, ranks: ModuleType, tmp_path: Path
) -> None:
    """From new, and once more after `restore`, as where epochs are trained after a warm-up."""
    workload = Workload(
        model=PERCEPTRON, images=200, batch=10, learning_rate=0.02, precision="fp16", optimizer=optimizer
    )
    run = ranks.cpu_run(mode, 1 if mode == "single" else 2, workload)
    done = ranks.launch(run, tmp_path, worker="alone:overflowing")
    assert not done.failed, done.log.read_text()
    for rank in range(run.world_size):
        saved = torch.load(tmp_path / "meeting" / f"rank{rank}.pt")
        for beginning in ("new", "restored"):
            fused, unfused = (saved[f"{kind} {beginning}"] for kind in ("fused", "unfused"))
            assert fused["skipped"] == unfused["skipped"] > 0
            assert all(map(math.isfinite, fused["losses"]))
            assert fused["losses"] == pytest.approx(unfused["losses"], rel=1e-2)
            assert len(set(fused["losses"][-3:])) == 3
