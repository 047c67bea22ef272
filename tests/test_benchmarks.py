"""Benchmarks, and programs that draw for the documents: they fit the product, and end when a rank fails."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import multiprocessing
import os
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

STEP = Path(__file__).parent.parent / "benchmarks" / "step.py"
DOCS = Path(__file__).parent.parent / "docs"


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


@pytest.mark.parametrize(
    "program", sorted([*STEP.parent.glob("*.py"), *DOCS.glob("*.py")]), ids=lambda file: file.stem
)
def test_what_programs_beside_the_product_import_of_it_is_there(program: Path) -> None:
    for node in ast.walk(ast.parse(program.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gpubench_tui."):
            module = importlib.import_module(node.module)
            assert not [alias.name for alias in node.names if not hasattr(module, alias.name)], node.module
