"""Differences that keep two runs from being compared."""

from __future__ import annotations

import pytest
from gpubench_tui.engine.analysis.results.comparable import Setting, setting_differences

RING = "NCCL_ALGO=Ring TORCH_LOGS=recompiles graph OMP_NUM_THREADS=4"


@pytest.mark.parametrize(
    ("ours", "theirs", "differences"),
    [
        ({"environment": "none"}, {"environment": "none"}, []),
        ({"environment": RING}, {"environment": RING}, []),
        (
            {"environment": RING},
            {"environment": "NCCL_ALGO=Tree OMP_NUM_THREADS=4"},
            ["NCCL_ALGO: Ring against Tree", "TORCH_LOGS: recompiles graph against unset"],
        ),
        ({"environment": "NCCL_ALGO=Ring"}, {"environment": "none"}, ["NCCL_ALGO: Ring against unset"]),
        ({"environment": "none"}, {}, ["environment: none against not recorded"]),
        ({"cores": 8, "cuda": "13.0"}, {"cores": 16, "cuda": "13.0"}, []),
        ({"cores": 8}, {"cores": 16}, ["cores: 8 against 16"]),
    ],
)
def test_settings_that_differ_are_named_one_by_one(
    ours: dict[str, Setting], theirs: dict[str, Setting], differences: list[str]
) -> None:
    assert setting_differences(ours, theirs) == differences
