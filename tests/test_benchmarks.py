"""Benchmarks that start ranks end when one of them fails."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

STEP = Path(__file__).parent.parent / "benchmarks" / "step.py"


def test_the_benchmark_of_a_step_ends_all_ranks_when_one_fails() -> None:
    """Over NCCL a rank does not notice that another is gone."""
    described = importlib.util.spec_from_file_location("step", STEP)
    assert described is not None
    assert described.loader is not None
    step = importlib.util.module_from_spec(described)
    described.loader.exec_module(step)
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=target, args=(argument,), daemon=True)
        for target, argument in ((os._exit, 3), (time.sleep, 600))
    ]
    for process in processes:
        process.start()
    with pytest.raises(SystemExit, match="a rank failed"):
        step.first_answer(context.Queue(), processes)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [3, -9]
