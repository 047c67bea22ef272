"""A tune with real ranks, whose training runs out of memory above a batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from driving.terminal import PROGRAM
from gpubench_tui.engine.analysis.tuning.tuning import tuning_of
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.shelf import Shelf

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_session_left")]

BATCH, LARGEST = 16, 40
TRAINING = f"""
import time

import torch


def build_model():
    return torch.nn.Linear(8, 1)


def batches(rank, world_size, batch, device):
    return [torch.randn(batch, 8)] * 8


def loss(model, batch):
    if len(batch) > {LARGEST}:
        raise torch.OutOfMemoryError(f"no room for {{len(batch)}} samples")
    time.sleep(0.02)
    return model(batch).square().mean()
"""
PRESET = f"""
title = "Memory"
question = "How large may a batch be?"

[workload]
training = "short_of_memory.py"
batch = {BATCH}

[measure]
warmup_steps = 1
window_seconds = 0.04
windows = 2
seconds = 0.1
detail = 2

[matrix]
modes = ["single"]
devices = [1]
"""


def test_the_largest_batch_that_fits_wins_and_lack_of_memory_is_a_result(tmp_path: Path) -> None:
    """A step takes as long with any batch, so that the largest one is far the fastest."""
    (tmp_path / "short_of_memory.py").write_text(TRAINING)
    preset = tmp_path / "memory.toml"
    preset.write_text(PRESET)
    sessions = tmp_path / "sessions"
    words = ["tune", str(preset), "--allow=recipe", "--headless", "--anyway", f"--sessions-dir={sessions}"]
    environment = {**os.environ, "TORCH_COMPILE_DISABLE": "1"}  # for compiling takes its time
    program = subprocess.run(
        [sys.executable, *PROGRAM, *words], capture_output=True, text=True, env=environment, check=False
    )
    assert program.returncode == 0, program.stderr
    (folder,) = Shelf(sessions).all()
    tuning = tuning_of(read_session(folder.journal))
    assert tuning is not None and tuning.batch is not None and tuning.total is not None
    tried = [(each.batch, each.fits) for each in tuning.batch.tried]
    assert tried == [(32, True), (64, False), (48, False), (LARGEST, True)]
    assert tuning.kept == {"batch": LARGEST} and tuning.confirmed
    assert all(each.remedy.name != "compile" for each in tuning.tried)
    assert "batch 48 does not fit: out of memory with a batch of 48" in program.stderr
