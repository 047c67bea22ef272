"""Logits are found in whatever classifiers return."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.errors import TrainingError
from gpubench_tui.engine.training.trainings.images import ImageTraining
from gpubench_tui.engine.training.trainings.outputs import AUXILIARY_WEIGHT
from torch import Tensor, nn

LOGITS = torch.randn(4, 10, generator=torch.Generator().manual_seed(1), requires_grad=True)
LABELS = torch.arange(4)
LOSS = float(nn.functional.cross_entropy(LOGITS, LABELS).detach())
Pair = namedtuple("Pair", "logits aux_logits")


@dataclass
class Record:
    loss: Tensor | None
    logits: Tensor


class Given(nn.Module):
    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output

    def forward(self, images: Tensor) -> Any:
        return self.output


@pytest.mark.parametrize(
    ("output", "factor"),
    [
        *((LOGITS, 1), ([LOGITS], 1), ((LOGITS, torch.zeros(4, 7)), 1), ({"logits": LOGITS, "x": LOGITS}, 1)),
        *((Record(None, LOGITS), 1), (OrderedDict(out=LOGITS, aux=LOGITS), 1)),
        *(
            (Pair(LOGITS, LOGITS + 0), 1 + AUXILIARY_WEIGHT),
            ((LOGITS, LOGITS + 0, None), 1 + AUXILIARY_WEIGHT),
        ),
    ],
)
def test_logits_are_found(output: Any, factor: float) -> None:
    training = ImageTraining(Workload())
    loss, logits = training.loss(Given(output), (torch.zeros(4, 3, 8, 8), LABELS))
    assert logits is LOGITS
    assert float(loss.detach()) == pytest.approx(factor * LOSS)
    tested, _ = training.evaluate(Given(output), (torch.zeros(4, 3, 8, 8), LABELS))
    assert float(tested.detach()) == pytest.approx(LOSS)


@pytest.mark.parametrize("output", [(), {"features": LOGITS}, None, "text"])
def test_what_holds_no_logits_is_named(output: Any) -> None:
    with pytest.raises(TrainingError, match=f"returns {type(output).__name__}, not a tensor of logits"):
        ImageTraining(Workload()).loss(Given(output), (torch.zeros(4, 3, 8, 8), LABELS))
