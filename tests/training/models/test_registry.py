from __future__ import annotations

from pathlib import Path

import pytest
import torch
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.device.claim import backend_for
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.errors import TrainingError
from gpubench_tui.engine.training.models.registry import BUILT_IN, build_model
from gpubench_tui.engine.training.optimizer import check_optimizer, make_optimizer
from gpubench_tui.engine.training.parallel.modes import wrap_model


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("cnn", 1_147_466),
        ("lenet", 62_006),
        ("vit-small", 14_244_490),
        ("cifar-resnet18", 11_173_962),
        ("torchvision:resnet18", 11_181_642),
        ("torchvision:resnet34", 21_289_802),
    ],
)
def test_parameters_are_those_published(name: str, parameters: int) -> None:
    assert count(build_model(Workload(model=name))) == parameters


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "vit-base"])
@pytest.mark.parametrize("size", [32, 48])
def test_every_model_takes_other_classes_and_sizes(name: str, size: int) -> None:
    model = build_model(Workload(model=name, classes=7, image_size=size))
    assert model(torch.randn(2, 3, size, size)).shape == (2, 7)


def test_the_same_seed_builds_the_same_weights() -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(3)
        weights.append(torch.cat([p.flatten() for p in build_model(Workload(model="cnn")).parameters()]))
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet-18", "there is no model 'resnet-18': use cnn, lenet"),
        ("torchvision:resnet19", "did you mean resnet18"),
        ("torchvision:fasterrcnn_resnet50_fpn", "no classification model"),
        ("missing.py:build", "missing.py does not exist"),
        ("own.py:nothing", "has no function 'nothing'"),
        ("own.py:number", "returned int, not a torch.nn.Module"),
        ("own.py:lazy", "lazy layers"),
    ],
)
def test_a_model_that_cannot_be_built_is_a_sentence(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(
        "import torch\n"
        "def number(classes): return classes\n"
        "def lazy(classes): return torch.nn.LazyLinear(classes)\n"
    )
    with pytest.raises(TrainingError) as caught:
        build_model(Workload(model=name))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_user_function_gets_the_number_of_classes(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("import torch\ndef build(classes): return torch.nn.Linear(5, classes)\n")
    assert count(build_model(Workload(model=f"{file}:build", classes=4))) == 24


def test_a_user_model_can_be_compiled_with_what_its_file_defines(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "import torch\n"
        "class Part(torch.nn.Module):\n"
        "    def forward(self, images): return squashed(images)\n"
        "class Whole(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.part = Part()\n"
        "    def forward(self, images): return self.part(images)\n"
        "def squashed(images): return images.mean((2, 3))\n"
        "def build(classes): return torch.nn.Sequential(Whole(), torch.nn.Linear(3, classes))\n"
    )
    model = build_model(Workload(model=f"{file}:build"))
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(compiled(images), model(images))


@pytest.mark.parametrize(("name", "size"), [("vit-tiny", 30), ("lenet", 12)])
def test_images_that_do_not_fit_the_model_are_named(name: str, size: int) -> None:
    with pytest.raises(TrainingError, match=str(size)):
        build_model(Workload(model=name, image_size=size))


def test_data_parallel_is_refused_where_it_does_nothing() -> None:
    with pytest.raises(TrainingError, match="DataParallel does nothing on a CPU"):
        wrap_model(torch.nn.Linear(1, 1), "dp", CpuDevices(), Workload())


@pytest.mark.parametrize(
    ("uuids", "backend"), [(("GPU-a", "GPU-b"), "cpu:gloo,cuda:nccl"), (("GPU-a", "GPU-a"), "gloo")]
)
def test_ranks_that_share_a_gpu_do_without_nccl(
    uuids: tuple[str, ...], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)
    assert backend_for([Device("cuda", 0, "GPU", uuid) for uuid in uuids]) == backend


class Grows(torch.nn.Module):
    """Creates a layer in its first forward, as a published benchmark did."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not hasattr(self, "late"):
            self.late = torch.nn.Linear(4, 2)
        return self.late(self.first(x))


def test_parameters_created_late_are_noticed() -> None:
    model = Grows()
    optimizer = make_optimizer(Workload(), model, fused=False)
    check_optimizer(optimizer, model)
    model(torch.randn(1, 4))
    with pytest.raises(TrainingError, match=r"late\.weight, late\.bias"):
        check_optimizer(optimizer, model)


def test_parameters_replaced_are_noticed() -> None:
    model = Grows()
    optimizer = make_optimizer(Workload(), model, fused=False)
    model.first.weight = torch.nn.Parameter(torch.zeros(4, 4))
    with pytest.raises(TrainingError):
        check_optimizer(optimizer, model)
