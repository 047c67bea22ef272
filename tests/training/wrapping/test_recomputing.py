"""Activation checkpointing changes what is kept for backward, and nothing that a step computes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from gpubench_tui.engine.plan.workload.blocks import problem_with_checkpointing
from gpubench_tui.engine.plan.workload.language_models import LANGUAGE_MODELS
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.errors import TrainingError, sentence_of
from gpubench_tui.engine.training.models.language import build_without_weights
from gpubench_tui.engine.training.models.registry import BUILT_IN, build_model
from gpubench_tui.engine.training.precision import keep_statistics_in_float32
from gpubench_tui.engine.training.wrapping.blocks import parts_of
from gpubench_tui.engine.training.wrapping.recomputing import blocks_to_recompute, recompute
from msgspec.structs import replace
from pretend_devices import data_parallel_over, pretended
from torch import Tensor, nn


class Block(nn.Module):
    """A block with all that computing it twice could spoil: statistics, dropout, an operation in place."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(12, 12), nn.BatchNorm1d(12), nn.ReLU(inplace=True))
        self.drop = nn.Dropout(0.3)

    def forward(self, values: Tensor, scale: float = 1.0) -> Tensor:
        dropped: Tensor = self.drop(self.layers(values) * scale)
        return values + dropped


class Model(nn.Module):
    """Blocks between single layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 12)
        self.blocks = nn.ModuleList(Block() for _ in range(5))
        self.head = nn.Linear(12, 3)

    def forward(self, values: Tensor) -> Tensor:
        values = self.stem(values)
        for block in self.blocks:
            values = block(values, scale=0.5)
        logits: Tensor = self.head(values)
        return logits


def kept_bytes(model: nn.Module, values: Tensor) -> tuple[int, Tensor]:
    """Bytes that a forward pass keeps for backward, besides parameters, and what it returns."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        found = model(values)
    return sum(storages.values()), found


@pytest.mark.parametrize(
    ("asked", "checkpointed"), [("every", [0, 1, 2, 3, 4]), (1, [0, 1, 2, 3, 4]), (2, [1, 3])]
)
def test_gradients_statistics_and_random_numbers_stay_what_they_were(
    asked: str | int, checkpointed: list[int]
) -> None:
    plain = Model()
    model = copy.deepcopy(plain)
    names = [name for name, _ in model.named_parameters()]
    found = blocks_to_recompute(model, Workload(checkpoint_activations=asked))  # type: ignore[arg-type]
    assert found == [model.blocks[index] for index in checkpointed]
    recompute(found)
    assert [name for name, _ in model.named_parameters()] == names
    assert all(isinstance(block, Block) for block in model.blocks)
    values = torch.randn(64, 6)
    kept, drawn = [], []
    for each in (plain, model):
        for _ in range(2):
            torch.manual_seed(3)
            size, logits = kept_bytes(each, values)
            logits.square().mean().backward()
        kept.append(size)
        drawn.append(float(torch.rand(1)))
    assert kept[1] < kept[0]
    assert drawn[0] == drawn[1], "what is drawn again takes nothing from what follows"
    for (name, ours), theirs in zip(model.named_parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad), name  # type: ignore[arg-type]
    for (name, ours), theirs in zip(model.named_buffers(), plain.named_buffers(), strict=True):
        assert torch.equal(ours, theirs[1]), name


def test_statistics_in_float32_count_each_batch_once_too() -> None:
    """As fsdp in 16 bits keeps them, by a forward of its own."""
    model = Model()
    keep_statistics_in_float32(model)
    recompute(blocks_to_recompute(model, Workload(checkpoint_activations="every")))
    model(torch.randn(64, 6)).square().mean().backward()
    counts = {int(value) for name, value in model.named_buffers() if name.endswith("num_batches_tracked")}
    assert counts == {1}


def test_nothing_is_kept_or_computed_anew_without_gradients() -> None:
    model = Model()
    recompute(blocks_to_recompute(model, Workload(checkpoint_activations="every")))
    with torch.no_grad():
        assert not model(torch.randn(4, 6)).requires_grad


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("lenet", "every", "no blocks, only single layers, so that nothing is checkpointed: set"),
        ("vit-tiny", 100, "of which none is number 100"),
    ],
)
def test_what_cannot_be_checkpointed_is_said(name: str, asked: str | int, said: str) -> None:
    workload = Workload(model=name, checkpoint_activations=asked)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=said):
        blocks_to_recompute(build_model(workload), workload)


@pytest.mark.parametrize("name", [*BUILT_IN, "gpt-tiny", "llama-tiny"])
def test_plans_know_how_many_blocks_a_model_has(name: str) -> None:
    training: Any = "tokens" if name in LANGUAGE_MODELS else "images"
    workload = Workload(model=name, training=training, checkpoint_activations="every")
    with torch.device("meta"):
        model: nn.Module = (
            build_without_weights(name, 256) if name in LANGUAGE_MODELS else build_model(workload)
        )
    count = len(list(filter(lambda part: list(part.children()), parts_of(model))))
    for asked in (1, max(count, 1), count + 1, "every"):
        possible = count > 0 and asked != count + 1
        said = problem_with_checkpointing(replace(workload, checkpoint_activations=asked))
        assert (said is None) == possible


def test_replicas_of_data_parallel_compute_their_own_part_anew() -> None:
    plain = Model().eval()  # the statistics of each replica's batch would be its own
    model = copy.deepcopy(plain)
    recompute(blocks_to_recompute(model, Workload(checkpoint_activations="every")))
    values = torch.randn(8, 6)
    with pretended():
        for each in (plain, model):
            data_parallel_over(each, 2)(values).square().mean().backward()
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad)  # type: ignore[arg-type]


class Changing(nn.Module):
    """A block whose input is another one after it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, values: Tensor) -> Tensor:
        out: Tensor = self.layer(values.mul_(2))
        return out


def test_a_block_that_changes_its_input_is_refused_not_trained_wrongly() -> None:
    model = nn.Sequential(nn.Linear(6, 6), Changing())
    recompute(blocks_to_recompute(model, Workload(checkpoint_activations="every")))
    loss = model(torch.randn(4, 6)).sum()
    with pytest.raises(RuntimeError) as error:
        loss.backward()
    assert "workload.checkpoint_activations computes anew must not be changed" in sentence_of(error.value, 4)
