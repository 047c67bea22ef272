from __future__ import annotations

import pytest
from gpubench_tui.engine.host.gpu.visibility import visible

GPUS = ["GPU-11aa", "GPU-11bb", "GPU-22cc", "GPU-33dd"]
SLICES = {
    "MIG-a1": "MIG-a1",
    "MIG-GPU-33dd/7/0": "MIG-a1",
    "MIG-a2": "MIG-a2",
    "MIG-GPU-33dd/8/0": "MIG-a2",
}


@pytest.mark.parametrize(
    ("value", "positions"),
    [
        (None, [0, 1, 2, 3]),
        ("2", [2]),
        ("3,1", [3, 1]),
        (" 1 , 2 ", [1, 2]),
        ("", []),
        ("-1", []),
        ("0,-1,2", [0]),
        ("0,4,2", [0]),
        ("0,,2", [0]),
        ("0,x,2", [0]),
        ("NoDevFiles", []),
        ("1gpu,2", [1, 2]),
        ("0,2,0", []),
        ("0,GPU-22cc", [0]),
        ("GPU-22cc", [2]),
        ("GPU-22,GPU-11bb", [2, 1]),
        ("GPU-33dd,GPU-11", [3]),
        ("GPU-1", []),
        ("GPU-99,GPU-22cc", []),
        ("GPU-22cc,1", [2]),
        ("GPU-22cc,GPU-22", []),
    ],
)
def test_gpus(value: str, positions: list[int]) -> None:
    assert visible(value, GPUS, SLICES) == [GPUS[position] for position in positions]


@pytest.mark.parametrize(
    ("value", "slices"),
    [
        ("MIG-a1", ["MIG-a1"]),
        ("MIG-a2,MIG-a1", ["MIG-a2", "MIG-a1"]),
        ("MIG-GPU-33dd/8/0", ["MIG-a2"]),
        ("MIG-a", []),
        ("MIG-a1,0", ["MIG-a1"]),
        ("MIG-b", []),
    ],
)
def test_slices(value: str, slices: list[str]) -> None:
    assert visible(value, GPUS, SLICES) == slices


def test_a_gpu_that_does_not_answer_holds_its_place_and_no_name() -> None:
    assert visible("1,2", ["GPU-11aa", "", "GPU-22cc"], {}) == ["", "GPU-22cc"]
    assert visible("GPU-", ["", "GPU-22cc"], {}) == ["GPU-22cc"]
