"""`compile = true` compiles something in every mode, or it is noticed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    Breakdown,
    CommunicationMeasured,
    Evaluation,
    ModelBuilt,
    RankMeasured,
)

pytestmark = pytest.mark.slow

MODELS = Path(__file__).parent / "compiled.py"
QUICK = Measure(epochs=1, warmup_steps=2, window_seconds=0.1, seconds=0.1, detail=4)

on_cpu = pytest.mark.skipif(
    not hasattr(torch.cpu.Stream, "record_event"), reason="fsdp needs torch 2.7 on a CPU"
)


def trained(
    ranks: ModuleType,
    folder: Path,
    mode: str,
    devices: int,
    model: str,
    **options: Any,
) -> Any:
    workload = Workload(model=model, images=160, batch=16 // devices, learning_rate=0.02, seed=5, **options)
    done = ranks.launch(ranks.cpu_run(mode, devices, workload, QUICK), folder)
    assert not done.failed, done.log.read_text()
    return done


@on_cpu
@pytest.mark.parametrize(("mode", "devices"), [("single", 1), ("ddp", 2), ("fsdp", 2)])
def test_a_chain_of_layers_is_compiled_in_every_mode(
    mode: str, devices: int, ranks: ModuleType, tmp_path: Path
) -> None:
    """A wrapper around it used to leave nothing to compile. It learns as one that is not compiled."""
    losses = []
    for compiled in (True, False):
        folder = tmp_path / str(compiled)
        done = trained(ranks, folder, mode, devices, f"{MODELS}:chain", compile=compiled)
        for rank in range(devices):
            graphs = done.of(RankMeasured, rank)[0].compiled_graphs
            assert graphs > 0 if compiled else graphs is None
        losses.append([done.of(Evaluation)[0].train_loss, done.of(Evaluation)[0].test_loss])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_the_closer_look_sees_compiled_ddp_as_any_other(ranks: ModuleType, tmp_path: Path) -> None:
    done = trained(ranks, tmp_path, "ddp", 2, f"{MODELS}:normed", compile=True)
    for rank in range(2):
        assert len(done.of(Breakdown, rank)[0].step) == 4
        (told,) = done.of(CommunicationMeasured, rank)
        assert len(told.buffers) == 4
        assert sum(bucket.bytes for bucket in told.buckets) == 4 * done.of(ModelBuilt, rank)[0].parameters


def test_a_model_without_graphs_is_noticed(ranks: ModuleType, tmp_path: Path) -> None:
    done = trained(ranks, tmp_path, "single", 1, f"{MODELS}:opaque", compile=True)
    assert done.of(RankMeasured)[0].compiled_graphs == 0


@pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="inductor needs a C++ compiler"
)
@pytest.mark.timeout(300)
def test_inductor_compiles_a_training(ranks: ModuleType, tmp_path: Path) -> None:
    """The real backend, on the smallest model: generated code trains and is measured."""
    done = trained(ranks, tmp_path, "single", 1, f"{MODELS}:by_inductor", compile=True)
    assert done.of(RankMeasured)[0].compiled_graphs == 1
    assert done.of(Evaluation)[0].train_loss > 0
