"""Models with unusual state, and models that cannot be trained, in ranks as a run has them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from gpubench_tui.engine.plan.preset.preset import Measure, Mode
from gpubench_tui.engine.plan.workload.workload import Precision, Workload
from gpubench_tui.engine.record.events import RankFailed
from gpubench_tui.engine.training.errors import sentence_of

on_cpu = pytest.mark.skipif(
    not hasattr(torch.cpu.Stream, "record_event"), reason="torch 2.6 has none on CPUs"
)

SOURCE = """
import threading
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(16, 16), nn.Linear(16, 16)
        self.register_buffer("scale", torch.ones(16))
    def forward(self, x):
        return self.last(self.first(x) * self.scale)

class Odd(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.embedding, self.block, self.head = nn.Linear(192, 16), Block(), nn.Linear(16, classes)
        self.tied = self.block.first.weight
        self.nothing = nn.Parameter(torch.empty(0, 3))
        self.register_buffer("mean", torch.zeros(16))
        self.register_buffer("absent", None)
        self.lock, self.count = threading.Lock(), 0
    def get_extra_state(self): return {"count": self.count, "lock": self.lock}
    def set_extra_state(self, state): self.count = state["count"]
    def forward(self, images):
        self.count += 1
        x = self.block(self.embedding(images.flatten(1)) - self.mean) @ self.tied
        return self.head(x) + self.nothing.sum()

class Unused(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.head, self.spare = nn.Linear(192, classes), nn.Linear(4, 4)
    def forward(self, images): return self.head(images.flatten(1))

class Detached(Unused):
    def forward(self, images): return super().forward(images).detach()

class Changing(Unused):
    def forward(self, images):
        self.calls = getattr(self, "calls", 0) + 1
        logits = super().forward(images)
        return logits if self.calls == 2 else logits + self.spare(images[:, 0, 0, :4]).sum()

class Late(Unused):
    def forward(self, images):
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls == 3: raise SystemExit("enough")
        return super().forward(images)

def odd(classes): return Odd(classes)
def few(classes): return nn.Sequential(nn.Flatten(), nn.Linear(192, 7))
def flat(classes): return nn.Sequential(nn.Flatten(0), nn.Linear(192 * 8, classes))
def unused(classes): return Unused(classes)
def detached(classes): return Detached(classes)
def late(classes): return Late(classes)
def changing(classes): return Changing(classes)
"""
MEASURE = Measure(epochs=1, warmup_steps=2, detail=0)


def launched(
    function: str, mode: Mode, precision: Precision, ranks: ModuleType, folder: Path
) -> tuple[list[str], str]:
    """Train in two ranks, or in one if single; return the messages of those that failed, and rank 0's log."""
    (folder / "odd.py").write_text(SOURCE)
    workload = Workload(
        model=f"{folder / 'odd.py'}:{function}", image_size=8, images=64, batch=8, precision=precision
    )
    run = ranks.cpu_run(mode, 1 if mode == "single" else 2, workload, MEASURE)
    done = ranks.launch(run, folder)
    failed = [event.message for rank in range(run.world_size) for event in done.of(RankFailed, rank)]
    assert bool(failed) == done.failed
    return failed, done.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "precision"),
    [
        ("ddp", "bf16"),
        pytest.param("fsdp", "fp32", marks=on_cpu),
        pytest.param("fsdp", "bf16", marks=on_cpu),
    ],
)
def test_odd_state_is_trained(mode: Mode, precision: Precision, ranks: ModuleType, tmp_path: Path) -> None:
    failed, log = launched("odd", mode, precision, ranks, tmp_path)
    assert not failed
    assert "Odd keeps its extra state over warm-up: TypeError: cannot pickle" in log


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "mode", "words"),
    [
        ("few", "single", "few returns a 8 x 7 tensor where 8 x 10 was expected"),
        ("flat", "single", "flat returns a 10 tensor where 8 x 10 was expected"),
        ("detached", "single", "detached returns has no gradient"),
        ("unused", "ddp", "does not use the parameters spare.weight, spare.bias"),
        (
            "changing",
            "ddp",
            "a step of the model does not use the parameters spare.weight, spare.bias, for whose",
        ),
        ("late", "single", "odd.py:48, in forward: SystemExit: enough"),
    ],
)
def test_a_model_that_cannot_be_trained_is_told_in_a_sentence(
    function: str, mode: Mode, words: str, ranks: ModuleType, tmp_path: Path
) -> None:
    failed, _ = launched(function, mode, "fp32", ranks, tmp_path)
    assert failed and all(words in message for message in failed), failed


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Expected to have finished reduction in the prior iteration before ...", "find_unused_parameters"),
        ("Your training graph has changed in this iteration, e.g., one ...", "workload.static_graph = false"),
        (
            "Trying to backward through the graph a second time (or directly ...",
            "only return it, and detach()",
        ),
        ("aten.add_.Tensor: in-place operations that require placement changes ...", "call the block itself"),
    ],
)
def test_advice_of_torch_is_put_in_the_words_of_a_preset(message: str, words: str) -> None:
    said = sentence_of(RuntimeError(message), 8)
    assert words in said
    assert "iteration" not in said
