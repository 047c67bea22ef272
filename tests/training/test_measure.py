from __future__ import annotations

import re

import pytest
import torch
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.errors import (
    DataTooLargeError,
    NoDataError,
    TrainingError,
    kind_of,
    sentence_of,
)
from gpubench_tui.engine.training.measure import enough, split
from gpubench_tui.engine.training.optimizer import Schedule

STEADY = [100.0, 100.1, 99.9, 100.0, 100.05]
NOISY = [100.0, 120.0, 80.0, 110.0, 90.0]


@pytest.mark.parametrize(
    ("totals", "measured", "target", "reason"),
    [
        (STEADY[:4], 99.0, 0.01, None),
        (STEADY, 1.0, 0.01, r"interval ±0\.\d+% within 1%"),
        (STEADY, 1.0, 0.0, None),
        (NOISY, 9.9, 0.01, None),
        (NOISY, 10.0, 0.01, "time limit of 10 s"),
    ],
)
def test_windows_end_when_they_say_enough(
    totals: list[float], measured: float, target: float, reason: str | None
) -> None:
    said = enough(Measure(windows=5, target=target, seconds=10), totals, measured)
    if reason is None:
        assert said is None
    else:
        assert said is not None
        assert re.fullmatch(reason, said)


@pytest.mark.parametrize(("total", "length"), [(390, 37), (5, 100), (7, 3), (1, 1), (100, 99)])
def test_windows_share_an_epoch_without_rest(total: int, length: int) -> None:
    parts = split(total, length)
    assert sum(parts) == total
    assert max(parts) - min(parts) <= 1
    assert min(parts) > 0


def test_the_learning_rate_rises_and_falls_where_it_should() -> None:
    workload = Workload(learning_rate=0.8, warmup_epochs=0.5, milestones=(2, 3), gamma=0.1)
    schedule = Schedule(workload, steps_per_epoch=8)
    rates = [schedule.learning_rate(step) for step in range(32)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8])
    assert rates[15:17] == pytest.approx([0.8, 0.08])
    assert rates[23:25] == pytest.approx([0.08, 0.008])


def test_the_schedule_is_torchs_multi_step_lr() -> None:
    schedule = Schedule(Workload(learning_rate=0.1, milestones=(1, 3), gamma=0.5), steps_per_epoch=1)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5)
    for step in range(5):
        assert schedule.learning_rate(step) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (NoDataError("no images in /x"), "no data", "no images in /x"),
        (TrainingError("wrong model"), "raised", "wrong model"),
        (
            TrainingError("torch 2.13.0 cannot use GPU 1 (GPU-a): Error 802: system not yet initialized"),
            "raised",
            "Error 802: system not yet initialized; start the service nvidia-fabricmanager",
        ),
        (MemoryError(), "out of memory", "out of memory with a batch of 64 per device"),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried"), "out of memory", "batch of 64"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory", "64"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors"), "out of memory", "64"),
        (
            RuntimeError("GET was unable to find an engine to execute this computation"),
            "out of memory",
            "probably out of memory with a batch of 64 per device: try a smaller workload.batch (GET was",
        ),
        (
            torch.distributed.DistBackendError(
                "NCCL error in: ../NCCLUtils.hpp:317, unhandled system error, NCCL version 2.21.5\n"
                "ncclSystemError: System call (e.g. socket, malloc) failed.\n"
                "Last error:\nError while creating shared memory segment /dev/shm/nccl-EoOvZr (size 7340384)"
            ),
            "raised",
            "2.21.5: Error while creating shared memory segment /dev/shm/nccl-EoOvZr (size 7340384); "
            "/dev/shm is too small",
        ),
        (DataTooLargeError('... set workload.placement = "loader"'), "out of memory", "placement"),
        (ValueError("first line\nsecond line"), "raised", "ValueError: first line"),
        (KeyError(), "raised", "KeyError"),
        (
            NoDataError(
                "Caught NoDataError in DataLoader worker process 0.\n"
                "Original Traceback (most recent call last):\n"
                '  File "x.py", line 1\n'
                "gpubench_tui.engine.training.errors.NoDataError: the image a.png is bad\n"
            ),
            "no data",
            "the image a.png is bad",
        ),
        (
            ValueError(
                "Caught ValueError in DataLoader worker process 0.\n"
                "Original Traceback (most recent call last):\n"
                '  File "x.py", line 1\nValueError: wrong\n'
            ),
            "raised",
            "ValueError: wrong",
        ),
    ],
)
def test_what_went_wrong_is_said_in_a_sentence(error: Exception, kind: str, words: str) -> None:
    assert kind_of(error) == kind
    said = sentence_of(error, 64)
    assert words in said
    assert "\n" not in said
    assert "Traceback" not in said
