"""FSDP2: shards of one model on the ranks of a run, each rank a process."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import ComputeMeasured, Evaluation, ModelBuilt, RankMeasured, Window
from gpubench_tui.engine.training.detail.compute import flop_per_step
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.errors import TrainingError
from gpubench_tui.engine.training.parallel import sharding
from gpubench_tui.engine.training.parallel.sharding import shard
from gpubench_tui.engine.training.trainings.choice import training_of
from torch import nn

pytestmark = pytest.mark.slow

on_cpu = pytest.mark.skipif(
    not hasattr(torch.cpu.Stream, "record_event"), reason="torch 2.6 has none on CPUs"
)

RESIDUAL = """
import torch
from torch import nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.layer = nn.LayerNorm(33), nn.Linear(33, 33)
    def forward(self, x):
        return x + torch.relu(self.layer(self.norm(x)))
class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(33))
        self.first, self.blocks = nn.Linear(3072, 33), nn.Sequential(Block(), Block())
        self.last = nn.Linear(33, 10)
    def forward(self, x):
        return self.last(self.blocks(self.first(x.flatten(1)) * self.scale))
def residual(classes): return Residual()
"""

NORMED = """
from torch import nn
def normed(classes):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8, momentum=None), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Flatten(), nn.Linear(784, classes), nn.BatchNorm1d(classes, affine=False),
    )
"""


@on_cpu
@pytest.mark.parametrize("model", ["lenet", "own"])
def test_two_ranks_of_fsdp_train_as_one_process_on_the_joined_batch(
    model: str, ranks: ModuleType, tmp_path: Path
) -> None:
    """Same losses, gradients and weights; the ranks evaluate two batches and one."""
    if model == "own":
        (tmp_path / "own.py").write_text(RESIDUAL)
        model = f"{tmp_path / 'own.py'}:residual"
    saved = {}
    for mode, devices, batch in (("single", 1, 32), ("fsdp", 2, 16)):
        workload = Workload(model=model, images=165, batch=batch, learning_rate=0.05, weight_decay=1e-3)
        folder = tmp_path / mode
        done = ranks.launch(ranks.cpu_run(mode, devices, workload), folder, worker="ranks:take_steps")
        assert not done.failed, done.log.read_text()
        saved[mode] = [torch.load(folder / "meeting" / f"rank{rank}.pt") for rank in range(devices)]
    (single,) = saved["single"]
    for rank in saved["fsdp"]:
        torch.testing.assert_close(rank["gradients"], single["gradients"], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(rank["weights"], single["weights"], rtol=1e-4, atol=1e-6)
        assert rank["evaluated"] == pytest.approx(single["evaluated"], rel=1e-4)
    first, second = saved["fsdp"]
    means = [(a + b) / 2 for a, b in zip(first["losses"], second["losses"], strict=True)]
    assert means == pytest.approx(single["losses"], rel=1e-4)


@on_cpu
@pytest.mark.parametrize("devices", [1, 2])
def test_fsdp_is_measured_in_windows(devices: int, ranks: ModuleType, tmp_path: Path) -> None:
    workload = Workload(model="lenet", images=400, batch=20, learning_rate=0.02)
    measure = Measure(windows=3, window_seconds=0.1, seconds=0.3, target=0, warmup_steps=2, detail=2)
    done = ranks.launch(ranks.cpu_run("fsdp", devices, workload, measure), tmp_path)
    assert not done.failed, done.log.read_text()
    for rank in range(devices):
        built = done.of(ModelBuilt, rank)[0]
        assert built.parameters == 62_006
        assert built.steps_per_epoch == 400 // 20 // devices
        assert done.of(RankMeasured, rank)[0].replicas_equal is None
        assert [(window.index, window.steps) for window in done.of(Window, rank)] == [
            (window.index, window.steps) for window in done.of(Window)
        ]
        (arithmetic,) = done.of(ComputeMeasured, rank)
        assert arithmetic.flop_per_step == flop_per_step(training_of(workload), 20)


@on_cpu
@pytest.mark.parametrize(
    ("model", "precision"), [("cifar-resnet18", "bf16"), ("own", "fp32"), ("own", "fp16")]
)
def test_the_pieces_are_what_travels(model: str, precision: str, ranks: ModuleType, tmp_path: Path) -> None:
    """Those of a step of three ranks, padded to equal shards: not even 10 classes could be divided."""
    if model == "own":
        (tmp_path / "own.py").write_text(RESIDUAL)
        model = f"{tmp_path / 'own.py'}:residual"
    run = ranks.cpu_run("fsdp", 3, Workload(model=model, images=120, batch=2, precision=precision))
    done = ranks.launch(run, tmp_path, worker="alone:sharded_step")
    assert not done.failed, done.log.read_text()
    for rank in range(3):
        seen = torch.load(tmp_path / "meeting" / f"rank{rank}.pt")
        pieces = seen["pieces"]
        gathered = [size for size, gathers, _ in pieces for _ in range(gathers)]
        assert sorted(seen["allgather"]) == sorted(gathered)
        assert sorted(seen["reduce_scatter"]) == sorted(reduced for *_, reduced in pieces)
        wide = 1 if precision == "fp32" else 2
        assert [reduced for *_, reduced in pieces] == [wide * size for size, *_ in pieces]
        # Gathered weights are freed after forward, and no copies of them wait for backward.
        assert seen["weights"] > 0
        assert seen["kept"] == 0
        # What is kept, optimised and averaged is float32 whatever computes.
        assert seen["shards"] == seen["gradients"] == {"torch.float32"}
        assert seen["statistics"] <= {"torch.float32"}
        assert seen["logits"] == {"fp32": "torch.float32", "fp16": "torch.float16"}.get(
            precision, "torch.bfloat16"
        )


@on_cpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_batch_norm_statistics_of_16_bit_shards_are_those_of_autocast(
    precision: str, ranks: ModuleType, tmp_path: Path
) -> None:
    """One rank of fsdp trains as one process does, and evaluates with statistics as good."""
    (tmp_path / "normed.py").write_text(NORMED)
    found = {}
    for mode in ("single", "fsdp"):
        workload = Workload(
            model=f"{tmp_path / 'normed.py'}:normed",
            images=505,
            batch=10,
            learning_rate=0.02,
            precision=precision,
        )
        measure = Measure(epochs=2, warmup_steps=1, seconds=0.1, detail=0)
        done = ranks.launch(ranks.cpu_run(mode, 1, workload, measure), tmp_path / mode)
        assert not done.failed, done.log.read_text()
        found[mode] = done.of(Evaluation)[-1]
    # Parameters rounded to 16 bits before they are used make a difference, and a small one.
    loose = 1e-4 if precision == "fp32" else 0.15
    assert found["fsdp"].train_loss == pytest.approx(found["single"].train_loss, rel=loose)
    assert found["fsdp"].test_loss == pytest.approx(found["single"].test_loss, rel=loose)


@on_cpu
@pytest.mark.parametrize(
    ("precision", "optimizer"), [("fp32", "adamw"), ("fp16", "sgd"), ("bf16", "adamw"), ("fp16", "adamw")]
)
def test_shards_learn_in_every_precision(
    precision: str, optimizer: str, ranks: ModuleType, tmp_path: Path
) -> None:
    own = f"{Path(__file__).parents[1] / 'own_models.py'}:perceptron"
    workload = Workload(
        model=own if precision == "fp16" else "lenet",
        images=505,
        batch=10,
        learning_rate=0.02 if optimizer == "sgd" else 1e-3,
        optimizer=optimizer,
        precision=precision,
        channels_last=True,
    )
    measure = Measure(epochs=3, warmup_steps=1, seconds=0.1, detail=0)
    done = ranks.launch(ranks.cpu_run("fsdp", 2, workload, measure), tmp_path)
    assert not done.failed, done.log.read_text()
    evaluations = done.of(Evaluation)
    assert evaluations[-1].train_loss < evaluations[0].train_loss
    assert evaluations[-1].test_accuracy > 0.3
    assert evaluations[-1].test_accuracy * 101 == pytest.approx(round(evaluations[-1].test_accuracy * 101))


@on_cpu
def test_warm_up_leaves_no_trace_in_shards(ranks: ModuleType, tmp_path: Path) -> None:
    losses = []
    for warmup in (1, 12):
        measure = Measure(epochs=1, warmup_steps=warmup, window_seconds=0.1, seconds=0.1, detail=0)
        workload = Workload(model="cnn", images=200, batch=20, optimizer="adamw", learning_rate=1e-3)
        done = ranks.launch(ranks.cpu_run("fsdp", 2, workload, measure), tmp_path / str(warmup))
        assert not done.failed, done.log.read_text()
        losses.append(done.of(Evaluation)[0].train_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_torch_without_fsdp_on_a_cpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu.Stream, "record_event", raising=False)
    with pytest.raises(TrainingError, match=r"torch 2\.7 or newer"):
        shard(nn.Linear(2, 2), CpuDevices(), Workload())


@on_cpu
def test_sums_are_not_taken_for_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "averages", lambda device: False)
    monkeypatch.setattr(sharding.dist, "get_backend", lambda: "gloo")
    with pytest.raises(TrainingError, match=r"gloo of torch .* sums gradients up"):
        shard(nn.Linear(2, 2), CpuDevices(), Workload())
