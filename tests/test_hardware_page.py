"""The page of confirmed hardware holds the claims that tests/gpu tests; without a GPU these are one skip."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .gpu.claims import brought_up_to_date, claim_of, name_of, rows_of

TREE = Path(__file__).parent.parent
PAGE = TREE / "docs" / "hardware.md"
SMALL = """
| claim | on a GPU | on CPUs in place of GPUs |
| --- | --- | --- |
| DDP adds at most 3% | not yet | – |
| fp16 trains | confirmed on L4, driver 1, torch 2.6, 2026-01-01<br>failed on NVIDIA T4, driver 1 | not yet |
"""


def claims_tested() -> Iterator[str]:
    for file in sorted((TREE / "tests" / "gpu").glob("test_*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield claim_of(node.name)


def test_every_claim_of_the_page_has_its_test_and_every_test_its_row() -> None:
    claims = list(claims_tested())
    assert len(claims) == len(set(claims))
    assert sorted(rows_of(PAGE.read_text())) == sorted(claims)


def test_the_page_takes_in_what_a_machine_confirmed_and_keeps_the_others() -> None:
    assert rows_of(SMALL) == {
        "ddp_adds_at_most_3_percent": "DDP adds at most 3%",
        "fp16_trains": "fp16 trains",
    }
    outcomes = {name_of("fp16 trains"): "confirmed", name_of("DDP adds at most 3%"): "skipped"}
    page = brought_up_to_date(SMALL, outcomes, "gpu", "NVIDIA T4", "driver 2, torch 2.7, 2026-02-02")
    assert page.splitlines()[3] == SMALL.splitlines()[3]
    assert page.splitlines()[4] == (
        "| fp16 trains | confirmed on L4, driver 1, torch 2.6, 2026-01-01<br>"
        "confirmed on NVIDIA T4, driver 2, torch 2.7, 2026-02-02 | not yet |"
    )
    failing = {"ddp_adds_at_most_3_percent": "failed", "fp16_trains": "failed"}
    page = brought_up_to_date(page, failing, "cpu", "2 cores of a CPU", "torch 2.7, 2026-02-02")
    assert [line.rpartition(" | ")[2] for line in page.splitlines()[3:]] == [
        "failed on 2 cores of a CPU, torch 2.7, 2026-02-02 |"
    ] * 2


def test_without_a_gpu_the_acceptance_is_one_skip_and_loads_no_torch() -> None:
    program = (
        "import sys, pytest\n"
        "status = pytest.main(['-p', 'no:cacheprovider', 'tests/gpu'])\n"
        "assert 'torch' not in sys.modules\n"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=TREE,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 5), done.stdout  # 5: nothing but the skip
    assert done.stdout.count("SKIPPED") == 1
    assert " 1 skipped in " in done.stdout
    assert "tests/gpu needs an NVIDIA GPU: " in done.stdout


@pytest.mark.slow
def test_the_acceptance_can_be_collected_and_its_programs_be_loaded() -> None:
    """A machine with a GPU may have no more of pytest than pytest-timeout."""
    plugins = [f"-pno:{name}" for name in ("cacheprovider", "xdist", "asyncio")]
    collect = ["-m", "pytest", "-q", *plugins, "--collect-only", "tests/gpu", "--gpu-stand-in"]
    load = ["tests/gpu/one_process.py", "--help"]
    models = ["tests/gpu/models.py"]
    for arguments in (collect, load, models):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=TREE, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
