"""Loss and accuracy of an epoch, summed while it is measured."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.trainings import images as trainings
from gpubench_tui.engine.training.trainings.images import HitTally
from torch.utils._python_dispatch import TorchDispatchMode


class Operations(TorchDispatchMode):
    """Counts what is computed; a view is none."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view:
            self.names.append(func.name())
        return func(*args, **(kwargs or {}))


def test_batches_of_any_size_count_by_their_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainings, "MOST_BATCHES", 3)
    tally, random = HitTally(torch.device("cpu")), torch.Generator().manual_seed(3)
    loss, hits, images = 0.0, 0, 0
    for size in (4, 4, 4, 4, 4, 7, 7, 1, 4):
        logits = torch.randn(size, 5, generator=random, requires_grad=True)
        labels = torch.randint(5, (size,), generator=random)
        mean = torch.nn.functional.cross_entropy(logits, labels)
        tally.add(mean, logits, (None, labels))
        loss += size * mean.item()
        hits += sum(int(row.argmax()) == int(label) for row, label in zip(logits, labels, strict=True))
        images += size
    assert tally.read(Group()) == pytest.approx((loss / images, hits / images))
    assert tally.read(Group()) == pytest.approx((loss / images, hits / images)), "reading changes nothing"


def test_a_measured_step_pays_for_one_operation() -> None:
    tally = HitTally(torch.device("cpu"))
    loss, logits, labels = torch.tensor(1.0), torch.randn(4, 3), torch.zeros(4, dtype=torch.int64)
    with Operations() as operations:
        for _ in range(100):
            tally.add(loss, logits, (None, labels))
    assert [name for name in operations.names if "detach" not in name] == ["aten::argmax"] * 100
