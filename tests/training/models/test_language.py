"""The built-in language models: their sizes, what a token sees, and the weights that they begin with."""

from __future__ import annotations

import pytest
import torch
from gpubench_tui.engine.plan.workload.language_models import LANGUAGE_MODELS
from gpubench_tui.engine.training.models.gpt2 import Gpt2
from gpubench_tui.engine.training.models.language import build_without_weights, give_weights
from gpubench_tui.engine.training.models.llama import Llama
from gpubench_tui.engine.training.wrapping.blocks import blocks_of
from torch import nn

CPU = torch.device("cpu")


def built(name: str, vocabulary: int, seed: int) -> Gpt2 | Llama:
    """A model with its weights."""
    model = build_without_weights(name, vocabulary)
    give_weights(model, model, CPU, seed)
    return model


@pytest.mark.parametrize(
    ("name", "vocabulary", "parameters"),
    [
        ("gpt2", 50_257, 124_439_808),
        ("gpt2", 50_304, 124_475_904),
        ("gpt2-medium", 50_257, 354_823_168),
        ("llama-1b", 128_256, 1_235_814_400),
        ("llama-8b", 128_256, 8_030_261_248),
        ("gpt-tiny", 256, 957_184),
        ("llama-tiny", 300, 776_832),
    ],
)
def test_a_model_has_as_many_parameters_as_planned(name: str, vocabulary: int, parameters: int) -> None:
    model = build_without_weights(name, vocabulary)
    assert all(parameter.is_meta for parameter in model.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    shape = LANGUAGE_MODELS[name]
    assert shape.parameters(vocabulary) == parameters
    block = model.blocks[0]
    assert sum(parameter.numel() for parameter in block.parameters()) == shape.block_parameters
    matrices = sum(parameter.numel() for parameter in block.parameters() if parameter.dim() == 2)
    assert matrices == shape.block_matrices


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_each_block_is_gathered_alone_and_a_tied_matrix_with_the_root(name: str) -> None:
    shape = LANGUAGE_MODELS[name]
    model = build_without_weights(name, shape.vocabulary)
    blocks = blocks_of(model)
    assert [block for block in blocks if block in set(model.blocks)] == list(model.blocks)
    assert (model.head in blocks) == (model.tokens in blocks) == (not shape.tied)


@pytest.mark.parametrize("name", ["gpt-tiny", "llama-tiny"])
def test_weights_given_part_by_part_are_those_given_at_once(name: str) -> None:
    whole = built(name, 50, 7)
    model = build_without_weights(name, 50)
    for part in (*reversed(blocks_of(model)), model):
        give_weights(model, part, CPU, 7)
    assert model.head.weight is model.tokens.weight
    assert model.state_dict().keys() == whole.state_dict().keys()
    for place, values in model.state_dict().items():
        assert torch.equal(values, whole.state_dict()[place]), place


@pytest.mark.parametrize("name", ["gpt-tiny", "llama-tiny"])
class TestTinyModels:
    def test_a_token_sees_those_before_it_and_none_after(self, name: str) -> None:
        model = built(name, 50, 0)
        tokens = torch.arange(24).view(1, 24) % 50
        changed = tokens.clone()
        changed[0, 10] = 49
        with torch.no_grad():
            apart = (model(tokens) - model(changed)).abs().amax(dim=-1)[0]
        assert not apart[:10].any()
        assert (apart[10:] > 1e-5).all()

    def test_order_matters(self, name: str) -> None:
        """What a token predicts depends on the order of those before it, so positions are told apart."""
        model = built(name, 50, 0)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(4)  # a fresh model attends to all alike
            one, other = model(torch.tensor([[1, 2, 3, 4], [2, 1, 3, 4]]))[:, -1]
        assert (one - other).abs().max() > 1e-3

    def test_weights_follow_from_the_seed(self, name: str) -> None:
        one, same, other = (
            nn.utils.parameters_to_vector(built(name, 50, seed).parameters()) for seed in (1, 1, 2)
        )
        assert torch.equal(one, same)
        assert not torch.equal(one, other)

    def test_the_first_loss_is_that_of_a_guess(self, name: str) -> None:
        model = built(name, 200, 3)
        generator = torch.Generator().manual_seed(0)
        tokens = torch.randint(200, (8, 33), generator=generator)
        loss = nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        assert loss.item() == pytest.approx(torch.tensor(200.0).log().item(), abs=0.15)

    def test_shortcuts_begin_with_smaller_weights_and_norms_with_ones(self, name: str) -> None:
        model = built(name, 256, 0)
        blocks = LANGUAGE_MODELS[name].layers
        for place, parameter in model.named_parameters():
            if place.endswith("bias"):
                assert not parameter.any()
            elif parameter.dim() == 1:
                assert (parameter == 1).all()
            else:
                added = place.endswith("project.weight")
                expected = 0.02 / (2 * blocks) ** 0.5 if added else 0.02
                assert parameter.std().item() == pytest.approx(expected, rel=0.05), place
