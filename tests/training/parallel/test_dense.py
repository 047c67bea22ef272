from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Evaluation, RankFailed, RankMeasured
from gpubench_tui.engine.training.parallel.dense import stored_values

MODEL = """
import os

import torch
from torch import nn

class Odd(nn.Module):
    def __init__(self, odd_parameter):
        super().__init__()
        self.last = nn.Linear(3072, 10)
        if odd_parameter:
            self.last.weight = nn.Parameter(torch.randn(3072, 10).mul_(0.01).t())
        rank = float(os.environ["RANK"])  # ranks begin with values of their own
        grid = torch.arange(24.0).view(2, 3, 4) + rank
        self.register_buffer("mask", torch.full((1, 1), 1 + rank).expand(2048, 2048))
        self.register_buffer("row", torch.full((1, 3072), 1 + rank).expand(64, 3072), persistent=False)
        self.register_buffer("transposed", grid.transpose(0, 2))
        self.register_buffer("every_second", grid.flatten()[::2])
        self.register_buffer("windows", torch.arange(10.0).add(rank).unfold(0, 4, 1))
        self.register_buffer("nhwc", torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last))
        self.register_buffer("nothing", torch.empty(0, 3))
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("phase", torch.complex(grid, grid).conj())
        self.register_buffer("sparse", (torch.eye(5) * (1 + rank)).to_sparse())
        self.register_buffer("rows", (torch.eye(5) * (1 + rank)).to_sparse_csr())
        self.register_buffer("short", torch.tensor([3 + int(rank)], dtype=torch.int16))
        self.register_buffer("eight_bits", torch.tensor([1.5 + rank]).to(torch.float8_e4m3fn))
        self.register_buffer("tied", self.transposed[1:])
        self.steps = 0

    def get_extra_state(self):
        return {"steps": self.steps}

    def set_extra_state(self, state):
        self.steps = state["steps"]

    def forward(self, images):
        if self.training:
            self.count += 1
            self.steps += 1
        else:
            # Values that all ranks share while they evaluate: rank 0's.
            assert (self.mask == 1).all() and (self.row == 1).all() and self.mask.stride() == (0, 0)
            grid = torch.arange(24.0).view(2, 3, 4)
            assert torch.equal(self.transposed, grid.transpose(0, 2))
            assert torch.equal(self.every_second, grid.flatten()[::2])
            assert torch.equal(self.windows, torch.arange(10.0).unfold(0, 4, 1))
            assert torch.equal(self.phase, torch.complex(grid, -grid))
            assert torch.equal(self.sparse.to_dense(), torch.eye(5))
            assert torch.equal(self.rows.to_dense(), torch.eye(5))
            assert self.short.item() == 3 and self.eight_bits.float().item() == 1.5
            assert self.tied.data_ptr() == self.transposed[1:].data_ptr()
            # Two epochs of 5 steps, without those of warm-up.
            assert self.count.item() in (5, 10) and self.steps == self.count.item(), (self.count, self.steps)
        return self.last(images.flatten(1) * self.row[: len(images)])

def odd_buffers(classes): return Odd(False)
def odd_parameter(classes): return Odd(True)

class Uneven(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(3072, 10))
        self.register_buffer("table", torch.zeros(10 + 1000 * int(os.environ["RANK"])))

def uneven(classes): return Uneven()

class Grows(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(3072, 10))
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, images):
        self.seen = torch.cat([self.seen, torch.zeros(1)])
        return super().forward(images)

def grows(classes): return Grows()
"""
EPOCHS = Measure(epochs=2, warmup_steps=3, seconds=0.1, detail=2)


def workload(folder: Path, function: str) -> Workload:
    file = folder / "model.py"
    file.write_text(MODEL)
    return Workload(model=f"{file}:{function}", images=100, batch=10, learning_rate=0.01)


@pytest.mark.parametrize(
    ("mode", "function"), [("ddp", "odd_buffers"), ("ddp", "odd_parameter"), ("fsdp", "odd_parameter")]
)
@pytest.mark.slow
def test_tensors_of_any_layout_are_shared_and_restored(
    mode: str, function: str, ranks: ModuleType, tmp_path: Path
) -> None:
    done = ranks.launch(ranks.cpu_run(mode, 2, workload(tmp_path, function), EPOCHS), tmp_path / "run")
    assert not done.failed, done.log.read_text()
    assert len(done.of(Evaluation)) == 2
    for rank in (0, 1):
        assert done.of(RankMeasured, rank)[0].replicas_equal is (True if mode == "ddp" else None)
    assert "Traceback" not in done.log.read_text()


def test_they_are_restored_on_one_device(ranks: ModuleType, tmp_path: Path) -> None:
    measure = Measure(epochs=1, warmup_steps=3, seconds=0.1, detail=0)
    model = workload(tmp_path, "odd_buffers")
    alone = Workload(model=model.model, images=50, batch=10, learning_rate=0.01)
    done = ranks.launch(ranks.cpu_run("single", 1, alone, measure), tmp_path / "run")
    assert not done.failed, done.log.read_text()


@pytest.mark.parametrize(
    ("mode", "function", "words"),
    [
        ("fsdp", "uneven", "built alike on every rank"),
        ("ddp", "uneven", "built alike on every rank"),
        ("single", "grows", "seen changed its shape during warm-up"),
    ],
)
def test_tensors_that_do_not_match_are_a_sentence(
    mode: str, function: str, words: str, ranks: ModuleType, tmp_path: Path
) -> None:
    devices = 1 if mode == "single" else 2
    done = ranks.launch(ranks.cpu_run(mode, devices, workload(tmp_path, function), EPOCHS), tmp_path / "run")
    failures = [event for rank in range(devices) for event in done.of(RankFailed, rank)]
    assert failures
    assert all(words in failure.message for failure in failures)


@pytest.mark.parametrize(
    ("tensor", "stored"),
    [
        (torch.ones(1, 1).expand(2048, 2048), [(1, 1)]),
        (torch.ones(3, 1, 2).expand(3, 5, 2), [(3, 1, 2)]),
        (torch.ones(3, 4).t(), [(4, 3)]),
        (torch.ones(1, 4)[:, :0].expand(7, 0), [(1, 0)]),
        (torch.tensor(1.0), [()]),
        (torch.eye(4).to_sparse(), [(2, 4), (4,)]),
        (torch.eye(4).to_sparse_csc(), [(5,), (4,), (4,)]),
    ],
)
def test_memory_holds_each_value_once(tensor: torch.Tensor, stored: list[tuple[int, ...]]) -> None:
    parts = stored_values(tensor)
    assert [tuple(part.shape) for part in parts] == stored
    parts[-1].fill_(3)
    assert bool((tensor.to_dense()[tensor.to_dense() != 0] == 3).all())
