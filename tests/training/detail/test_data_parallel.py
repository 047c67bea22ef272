"""What DataParallel does besides computing, with delays that are known in place of GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Breakdown, CommunicationMeasured
from gpubench_tui.engine.training.detail.data_parallel import ExchangeHook, data_parallel_of
from gpubench_tui.engine.training.device.cpu import HostClock
from pretend_devices import DELAYS, data_parallel_over, pretended
from torch import Tensor, nn

OPERATIONS = ("scatter", "replicate", "gather", "reduce")


@pytest.fixture(autouse=True)
def pretend() -> Iterator[None]:
    with pretended():
        yield


def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))


def gradients(model: nn.Module, images: Tensor) -> list[Tensor | None]:
    model(images).square().sum().backward()
    return [parameter.grad for parameter in model.parameters()]


ROUNDS = 20
"""So that in one of them no other program disturbs the operation."""


def test_each_operation_takes_as_long_as_it_takes() -> None:
    hook = ExchangeHook(data_parallel := data_parallel_over(net(), 2), HostClock())
    for _ in range(ROUNDS):
        hook.begin()
        gradients(data_parallel, torch.randn(6, 8))
    found = hook.seconds()
    assert set(found) == set(OPERATIONS)
    for operation in OPERATIONS:
        assert len(found[operation]) == ROUNDS
        assert min(found[operation]) == pytest.approx(DELAYS[operation], rel=0.5, abs=0.005)


def test_the_hook_changes_nothing() -> None:
    images = torch.randn(6, 8)
    without, with_hook = data_parallel_over(net(), 2), data_parallel_over(net(), 2)
    hook = ExchangeHook(with_hook, HostClock())
    hook.begin()
    pairs = zip(gradients(without, images), gradients(with_hook, images), strict=True)
    assert all(a is not None and b is not None and torch.equal(a, b) for a, b in pairs)


def test_a_step_without_gradients_reduces_nothing() -> None:
    hook = ExchangeHook(data_parallel := data_parallel_over(net(), 2), HostClock())
    hook.begin()
    with torch.no_grad():
        data_parallel(torch.randn(6, 8))
    assert set(hook.seconds()) == {"scatter", "replicate", "gather"}
    hook.begin()
    assert hook.seconds()["gather"][1] == 0.0


def test_only_data_parallel_has_any() -> None:
    assert data_parallel_of(net()) is None
    data_parallel = data_parallel_over(net(), 2)
    assert data_parallel_of(data_parallel) is data_parallel


@pytest.mark.slow
def test_the_detail_phase_reports_it(ranks: ModuleType, tmp_path: Path) -> None:
    own = Path(__file__).parents[1] / "own_models.py"
    workload = Workload(model=f"{own}:data_parallel", images=200, batch=8)
    measure = Measure(windows=1, window_seconds=0.1, seconds=0.1, target=0, warmup_steps=1, detail=3)
    done = ranks.launch(ranks.cpu_run("dp", 2, workload, measure), tmp_path)
    assert not done.failed, done.log.read_text()
    (breakdown,) = done.of(Breakdown)
    assert set(breakdown.exchange) == set(OPERATIONS)
    for step in range(3):
        inside = [breakdown.exchange[operation][step] for operation in ("scatter", "replicate", "gather")]
        assert sum(inside) + DELAYS["forward"] <= breakdown.forward[step]
        assert DELAYS["reduce"] <= breakdown.exchange["reduce"][step] <= breakdown.backward[step]
    assert not done.of(CommunicationMeasured)
