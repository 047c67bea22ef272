"""Differences that keep two runs from being compared."""

from __future__ import annotations

from typing import Any

import pytest
from building.sessions import opening, rank_up, session, spec
from gpubench_tui.engine.analysis.results.comparable import (
    Setting,
    differences,
    fingerprint,
    setting_differences,
)
from gpubench_tui.engine.plan.preset.preset import Mode
from gpubench_tui.engine.plan.workload.workload import Workload

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


DDP: Mode = "ddp"
SINGLE: Mode = "single"


@pytest.mark.parametrize(
    ("ours", "theirs", "changed"),
    [
        ((DDP, {"bucket_mb": 50}), (DDP, {}), ["bucket_mb"]),
        ((DDP, {"bucket_mb": 50}), (SINGLE, {}), []),
        ((DDP, {"compress_gradients": "fp16"}), ("fsdp", {}), []),
        (("fsdp", {"reshard_after_forward": False}), ("fsdp", {}), ["reshard_after_forward"]),
        ((SINGLE, {"prefetch": 4, "pin_memory": False}), (SINGLE, {}), []),
        (
            (SINGLE, {"placement": "loader", "prefetch": 4}),
            (SINGLE, {"placement": "loader"}),
            ["prefetch"],
        ),
        ((SINGLE, {"placement": "loader", "prefetch": 4}), (SINGLE, {}), ["placement"]),
        ((SINGLE, {"compile_mode": "max-autotune"}), (SINGLE, {}), []),
        (
            (SINGLE, {"compile": True, "compile_mode": "max-autotune"}),
            (SINGLE, {"compile": True}),
            ["compile_mode"],
        ),
    ],
)
def test_a_key_counts_where_it_takes_effect_in_both_runs(
    ours: tuple[Mode, dict[str, Any]], theirs: tuple[Mode, dict[str, Any]], changed: list[str]
) -> None:
    runs = []
    for name, (mode, keys) in (("a", ours), ("b", theirs)):
        devices = 1 if mode == "single" else 2
        runs.append(spec(name, mode, devices, workloads=[Workload(**keys)]))
    folded = session(opening(*runs))
    a, b = (folded.runs[each.id] for each in runs)
    assert [text.partition(":")[0] for text in differences(a, b)] == changed


@pytest.mark.parametrize(
    ("mode", "keys", "same"),
    [
        (DDP, {}, True),
        (DDP, {"bucket_mb": 50}, False),
        (SINGLE, {"bucket_mb": 50}, True),
        (SINGLE, {"weight_decay": 0.1}, False),
    ],
)
def test_a_fingerprint_has_the_keys_that_take_effect(mode: Mode, keys: dict[str, Any], same: bool) -> None:
    devices = 1 if mode == "single" else 2
    other = spec("other", mode, devices, workloads=[Workload(**keys)])
    plain = spec("plain", "single", workloads=[Workload()])
    folded = session(
        opening(plain, other),
        [*rank_up("plain", 0), *(event for rank in range(devices) for event in rank_up("other", rank))],
    )
    prints = {fingerprint(folded, folded.runs[name]) for name in ("plain", "other")}
    assert None not in prints
    assert len(prints) == (1 if same else 2)
