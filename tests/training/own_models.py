"""Models for the tests, each with a known delay in one part of the steps of rank 1.

`path/to/own_models.py:forward` is a user's own model as a preset names it; the rank's process calls it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import torch
from gpubench_tui.engine.training import prepared_model
from gpubench_tui.engine.training.data.batches import ImageBatch, ResidentBatches
from gpubench_tui.engine.training.detail import bandwidth, communication, detail_phase
from pretend_devices import data_parallel_over, pretended
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

DELAY = 0.08
WIDTH = 64


def delay() -> None:
    """Sleep on rank 1 unless it is another that is late, and put on its log for how long."""
    if os.environ["RANK"] == os.environ.get("LATE", "1"):
        start = time.perf_counter()
        time.sleep(DELAY)
        print(f"slept {time.perf_counter() - start}")


class Model(nn.Sequential):
    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        super().__init__(nn.Flatten(), nn.Linear(3072, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10))
        self._before = before
        # What is known of the delay is known after a few turns; the link is of no interest.
        communication.TURNS_SECONDS = bandwidth.SECONDS = 0.05

    def forward(self, images: Tensor) -> Tensor:
        self._before()
        logits: Tensor = super().forward(images)
        return logits


def forward(classes: int) -> nn.Module:
    return Model(before=delay)


def switching(classes: int) -> nn.Module:
    """Change settings of the process, as a user's own file may."""
    torch.backends.cudnn.benchmark = False
    os.environ["NCCL_ALGO"] = "Ring"
    torch.set_num_threads(2)
    return Model()


def backward(classes: int) -> nn.Module:
    model = Model()
    model[1].weight.register_hook(lambda gradient: delay())
    return model


def optimizer(classes: int) -> nn.Module:
    register_optimizer_step_pre_hook(lambda *_: delay())
    return Model()


def input(classes: int) -> nn.Module:  # noqa: A001
    fetch = ResidentBatches.fetch

    def slow(self: ResidentBatches, first: int, end: int | None) -> Iterator[ImageBatch]:
        for batch in fetch(self, first, end):
            delay()
            yield batch

    ResidentBatches.fetch = slow  # type: ignore[method-assign]
    return Model()


def buffers(classes: int) -> nn.Module:
    """Has some, and rank 0 is late with its batches: the others wait for it before their forward."""
    input(classes)
    os.environ["LATE"] = "0"
    model = Model()
    model.append(nn.BatchNorm1d(classes))
    return model


def data_parallel(classes: int) -> nn.Module:
    """On devices that all are the CPU."""
    forever = pretended()
    forever.__enter__()

    def wrap(model: nn.Module, *_: object, until: object = forever, **__: object) -> nn.Module:
        return data_parallel_over(model, 2)

    prepared_model.wrap_model = wrap
    return Model()


def unlookable(classes: int) -> nn.Module:
    """Whose look after the windows fails."""

    def fail(_: detail_phase.Detail) -> None:
        raise RuntimeError("nothing to see here")

    detail_phase.Detail.run = fail  # type: ignore[method-assign]
    return Model()


def one_fails(classes: int) -> nn.Module:
    """Rank 1's look after the windows fails; rank 0 waits for it and is told nothing, as over NCCL."""

    def fail(_: detail_phase.Detail) -> None:
        if os.environ["RANK"] == "1":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        time.sleep(600)

    detail_phase.Detail.run = fail  # type: ignore[method-assign]
    return Model()


def perceptron(classes: int) -> nn.Module:
    """Learns in a moment in any precision, fp16 included, whose convolutions are slow on CPUs."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 32), nn.ReLU(), nn.Linear(32, classes))
