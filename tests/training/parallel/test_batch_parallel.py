"""DataParallel over devices that all are the CPU, with batches that torch does not divide itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.parallel.batch_parallel import BatchParallel
from gpubench_tui.engine.training.trainings.choice import training_of
from pretend_devices import pretended
from torch import Tensor


@dataclass
class Pair:
    x: Tensor
    y: Tensor
    name: str = "kept"


@pytest.mark.parametrize("make", [Pair, lambda x, y: {"x": x, "y": [y], "both": Pair(x, y)}])
def test_each_device_gets_its_part(make: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from torch import nn\n"
        "def build_model(): return nn.Linear(3, 1)\n"
        "def loss(model, batch):\n"
        "    pair = batch['both'] if isinstance(batch, dict) else batch\n"
        "    assert len(pair.x) == 2 and pair.name == 'kept'\n"
        "    return (model(pair.x) - pair.y).square().mean()\n"
    )
    training = training_of(Workload(training=str(tmp_path / "own.py")))
    module = training.module_of(training.build_model())
    x, y = torch.randn(4, 3), torch.randn(4, 1)
    wrapped = BatchParallel(module)
    wrapped.dim, wrapped.output_device = 0, 0
    wrapped.device_ids, wrapped.src_device_obj = [0, 1], torch.device("cpu")
    with pretended():
        loss, _ = training.loss(wrapped, make(x, y))
    whole = (module.model(x) - y).square().mean()
    torch.testing.assert_close(loss, whole)
    wanted = torch.autograd.grad(whole, list(module.parameters()))
    loss.backward()
    torch.testing.assert_close([each.grad for each in module.parameters()], list(wanted))
