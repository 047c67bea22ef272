"""Advice on images that a model does not take, and the sentence that ends with it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.models.image_sizes import advice_on_images
from gpubench_tui.engine.training.worker import sentence_for

MODELS = """
import torch
from torch import nn

def pooled(classes):
    layers = nn.Conv2d(3, 4, 3, stride=8), nn.MaxPool2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(4, classes))

class Fixed(nn.Module):
    def __init__(self, classes, size):
        super().__init__()
        self.size, self.head = size, nn.Linear(3 * size * size, classes)
    def forward(self, images):
        assert images.shape[-1] == self.size, f"expected {self.size}"
        return self.head(images.flatten(1))

def fixed(classes): return Fixed(classes, 96)
def rounded(classes, image_size): return Fixed(classes, image_size // 32 * 32)

def normed(classes):
    layers = nn.Flatten(), nn.Linear(768, 4), nn.BatchNorm1d(4)
    return nn.Sequential(*layers, nn.Linear(4, classes))

class Failing(Fixed):
    def forward(self, images):
        raise ValueError("whatever the size")

def failing(classes): return Failing(classes, 16)
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "sized.py").write_text(MODELS)
    return tmp_path / "sized.py"


@pytest.mark.parametrize(
    ("function", "size", "batch", "advice"),
    [
        (
            "pooled",
            32,
            4,
            " 32x32, and would take 64x64: set workload.image_size = 64",
        ),
        ("pooled", 64, 4, ""),
        ("fixed", 32, 4, "set workload.image_size = 96"),
        ("fixed", 128, 1, "set workload.image_size = 96"),
        ("rounded", 40, 4, "set workload.image_size = 64"),
        ("normed", 16, 1, "does not take a single image: set workload.batch = 2 or more"),
        ("normed", 16, 2, ""),
        ("failing", 16, 4, ""),
    ],
)
def test_advice_is_what_the_model_would_take(
    models: Path, function: str, size: int, batch: int, advice: str
) -> None:
    workload = Workload(model=f"{models}:{function}", image_size=size)
    found = advice_on_images(workload, batch)
    assert found.endswith(advice)
    assert bool(found) == bool(advice)


def test_sentence_on_a_refusal_ends_with_the_advice(models: Path, ranks: ModuleType) -> None:
    run = ranks.cpu_run("single", 1, Workload(model=f"{models}:fixed", image_size=32, batch=4))
    sentence = sentence_for(AssertionError("expected 96"), run, 0)
    assert sentence == (
        f"AssertionError: expected 96; {models}:fixed does not take images of 32x32, and would take 96x96: "
        "set workload.image_size = 96"
    )
    taken = ranks.cpu_run("single", 1, Workload(model=f"{models}:fixed", image_size=96, batch=4))
    assert sentence_for(AssertionError("expected 96"), taken, 0) == "AssertionError: expected 96"
