"""Arithmetic of a step, and the peak it is held against."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import ComputeMeasured
from gpubench_tui.engine.training.detail import compute
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.device.cuda import CudaDevices
from gpubench_tui.engine.training.models.registry import BUILT_IN
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.trainings.choice import training_of

pytestmark = pytest.mark.slow

CPU = CpuDevices()
OWN = """
import torch
class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3072, 10)
    def forward(self, x): return self.layer(x.flatten(1))
def linear(classes): return Linear()
class Curious(Linear):
    def forward(self, x): return super().forward(x) * (1 if x.sum().item() > 0 else 2)
def curious(classes): return Curious()
class Attentive(torch.nn.Module):
    def __init__(self, asks):
        super().__init__()
        self.asks, self.layer, self.head = asks, torch.nn.Linear(32, 32), torch.nn.Linear(32, 10)
    def forward(self, x):
        q = self.layer(x.flatten(1, 2)).unflatten(2, (4, 8)).transpose(1, 2)
        q = torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
        x = q.transpose(1, 2).flatten(2).mean(dim=1)
        if self.asks and (x != x).all():
            raise ValueError("these are no numbers")
        return self.head(x)
def attentive(classes): return Attentive(False)
def asking(classes): return Attentive(True)
"""


def flop(workload: Workload, batch: int) -> int | None:
    return compute.flop_per_step(training_of(workload), batch)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path / "own.py"


def test_a_linear_layer_does_what_it_should(own: Path) -> None:
    """Two FLOP a weight and sample forward, and as many for the weights' gradients."""
    assert flop(Workload(model=f"{own}:linear"), 7) == 2 * 2 * 7 * 3072 * 10


def test_a_step_of_several_passes_does_several_times_as_much(own: Path) -> None:
    linear = training_of(Workload(model=f"{own}:linear"))
    assert compute.flop_per_step(linear, 7, 3) == 3 * (compute.flop_per_step(linear, 7) or 0)


def test_a_resnet_does_what_is_published() -> None:
    """0.56 billion multiply-adds an image forward, and about twice as many backward."""
    counted = flop(Workload(model="cifar-resnet18"), 4)
    assert counted == pytest.approx(4 * 3 * 2 * 0.5556e9, rel=0.01)


@pytest.mark.parametrize("model", ["cnn", "vit-tiny", "cifar-resnet18"])
def test_the_count_is_that_of_a_real_step(model: str) -> None:
    torch.manual_seed(0)
    real = BUILT_IN[model](10, 16)
    with compute.FlopCounterMode(display=False) as counter:
        real(torch.randn(2, 3, 16, 16)).sum().backward()
    counted = flop(Workload(model=model, image_size=16), 2)
    assert counted == counter.get_total_flops() > 0


def test_what_cannot_be_counted_is_said(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert flop(Workload(model=f"{own}:curious"), 7) is None
    assert "cannot be counted" in capsys.readouterr().out


@pytest.mark.parametrize(("mode", "devices"), [("single", 1), ("ddp", 2), ("concurrent", 2)])
def test_every_rank_reports_its_own_arithmetic(
    mode: str, devices: int, ranks: ModuleType, tmp_path: Path
) -> None:
    models = ("lenet", "cnn") if mode == "concurrent" else ("lenet",)
    workloads = [Workload(model=model, images=200, batch=20) for model in models]
    measure = Measure(windows=2, window_seconds=0.05, seconds=0.1, target=0, warmup_steps=1, detail=2)
    done = ranks.launch(ranks.cpu_run(mode, devices, workloads, measure), tmp_path)
    assert not done.failed, done.log.read_text()
    for rank in range(devices):
        (event,) = done.of(ComputeMeasured, rank)
        assert event.flop_per_step == flop(workloads[rank % len(workloads)], 20)
        assert event.peak_flop_per_second > 1e7


@pytest.mark.parametrize(("mode", "devices"), [("single", 1), ("fsdp", 2)])
def test_a_model_that_asks_for_values_is_counted_in_a_real_pass(
    mode: str, devices: int, ranks: ModuleType, tmp_path: Path, own: Path
) -> None:
    measure = Measure(windows=2, window_seconds=0.05, seconds=0.1, target=0, warmup_steps=1, detail=1)
    workload = Workload(model=f"{own}:asking", images=200, batch=20, accumulate=2)
    assert flop(workload, 20) is None
    done = ranks.launch(ranks.cpu_run(mode, devices, [workload], measure), tmp_path)
    assert not done.failed, done.log.read_text()
    for rank in range(devices):
        (event,) = done.of(ComputeMeasured, rank)
        assert event.flop_per_step == 2 * (flop(Workload(model=f"{own}:attentive"), 20) or 0) > 0


def test_what_does_not_show_each_operator_once_is_not_counted() -> None:
    shows = compute.shows_operators
    assert shows("fsdp", Workload())
    assert not shows("dp", Workload())
    assert not shows("ddp", Workload(compile=True))
    assert not shows("single", Workload(checkpoint_activations=2))


def test_without_detail_there_is_none(ranks: ModuleType, tmp_path: Path) -> None:
    measure = Measure(windows=2, window_seconds=0.05, seconds=0.1, target=0, warmup_steps=1, detail=0)
    workload = Workload(model="lenet", images=200, batch=20)
    done = ranks.launch(ranks.cpu_run("single", 1, workload, measure), tmp_path)
    assert not done.failed
    assert done.of(ComputeMeasured) == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_product_is_repeated_in_every_precision(dtype: torch.dtype) -> None:
    product = compute.Product(64, dtype, CPU)
    assert product.flop == 2 * 64**3
    assert len(product.read(product.start(0))) == compute.FEWEST
    assert len(product.read(product.start(3600))) == compute.MOST


class SmallGpu:
    """A product that a GPU has no memory for unless it is small."""

    largest = 2048
    seconds = 1.0

    def __init__(self, size: int, dtype: torch.dtype, device: CudaDevices) -> None:
        if size > self.largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.size = size


def test_the_product_is_as_large_as_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "Product", SmallGpu)
    fitting = compute.large_product(torch.float16, CudaDevices([0]))
    assert fitting is not None
    assert fitting.size == 2048
    monkeypatch.setattr(SmallGpu, "largest", 100_000)
    largest = compute.large_product(torch.float16, CudaDevices([0]))
    assert largest is not None
    assert largest.size == 8192
    monkeypatch.setattr(SmallGpu, "largest", 0)
    assert compute.large_product(torch.float16, CudaDevices([0])) is None


class TwoDevices(CpuDevices):
    def split(self) -> list[CpuDevices]:
        return [CPU, CPU]


def test_there_is_no_peak_where_one_device_has_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([compute.Product(64, torch.float32, CPU), None])
    monkeypatch.setattr(compute, "large_product", lambda dtype, device: next(found))
    assert compute.peak_flop_per_second(torch.float32, TwoDevices(), Group()) is None
