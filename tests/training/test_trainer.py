"""Random numbers of a training's steps, by rank."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from gpubench_tui.engine.plan.preset.preset import Mode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.trainer import seed_of_steps


@pytest.mark.parametrize(
    "own", [{"model": "net.py:build"}, {"training": "own.py"}], ids=["model", "training"]
)
@pytest.mark.parametrize(("mode", "alike"), [("fsdp", True), ("ddp", False)])
def test_ranks_of_fsdp_draw_the_same_numbers_for_ones_own_model(
    mode: Mode, alike: bool, own: dict[str, Any], ranks: ModuleType
) -> None:
    run = ranks.cpu_run(mode, 2, Workload(**own))
    assert (seed_of_steps(run, 0) == seed_of_steps(run, 1)) is alike


def test_dropout_of_built_in_models_differs_from_rank_to_rank_and_seed_to_seed(ranks: ModuleType) -> None:
    runs = [ranks.cpu_run("fsdp", 2, Workload(seed=seed)) for seed in (0, 1)]
    assert len({seed_of_steps(run, rank) for run in runs for rank in (0, 1)}) == 4
