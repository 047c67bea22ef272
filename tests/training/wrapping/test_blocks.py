"""The blocks of a model: which of its modules are called one after the other."""

from __future__ import annotations

import torch
from gpubench_tui.engine.training.models.registry import BUILT_IN
from gpubench_tui.engine.training.precision import Autocast
from gpubench_tui.engine.training.wrapping.blocks import blocks_of
from torch import nn


def test_blocks_are_the_links_of_a_chain_or_the_children() -> None:
    resnet = BUILT_IN["cifar-resnet18"](10, 32)
    assert blocks_of(resnet) == [resnet.stem, *resnet.stages, resnet.head]
    assert blocks_of(Autocast(resnet, "cpu", torch.bfloat16)) == blocks_of(resnet)
    vit = BUILT_IN["vit-tiny"](10, 32)
    assert blocks_of(vit) == [vit.patches, *vit.blocks, vit.norm, vit.head]
    lenet = BUILT_IN["lenet"](10, 32)
    assert blocks_of(lenet) == [layer for layer in lenet if list(layer.parameters())]


def test_a_chain_further_down_is_divided_but_experts_are_not() -> None:
    def layer() -> nn.Module:
        return nn.ModuleDict({"mix": nn.Sequential(nn.Linear(4, 4)), "norm": nn.LayerNorm(4)})

    def expert() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    trunk = nn.Module()
    trunk.embedding, trunk.norm = nn.Embedding(4, 4), nn.LayerNorm(4)
    trunk.stack = nn.Module()
    trunk.stack.layers = nn.ModuleList([layer(), layer(), layer()])
    mixture = nn.Module()
    mixture.gate, mixture.experts = nn.Linear(4, 2), nn.ModuleList([expert(), expert()])
    model = nn.Module()
    model.trunk, model.mixture, model.head = trunk, mixture, nn.Linear(4, 4)
    assert blocks_of(model) == [*trunk.stack.layers, mixture, model.head]


def test_a_shared_parameter_belongs_to_the_root() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
            self.ends = nn.ModuleDict({"first": nn.Linear(4, 4), "last": nn.Linear(4, 4)})
            self.ends["last"].weight = self.ends["first"].weight

    model = Tied()
    assert blocks_of(model) == list(model.layers)


def test_a_parameter_of_root_and_block_leaves_the_block_to_the_root() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    assert blocks_of(model) == list(model)
    model.tied = model[1].weight
    assert blocks_of(model) == [model[0], model[2]]
