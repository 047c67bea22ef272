"""A training of one's own with a model of every kind that a mode may stumble over; `kind` chooses one."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

WIDTH = 8


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(torch.tanh(self.first(x)))


class Net(nn.Module):
    """Three blocks and a head; subclasses change what is awkward about it."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block(), Block()])
        self.head = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Table(Net):
    def forward(self, x: Tensor) -> Any:
        return {"logits": super().forward(x), "aux": [x]}


@dataclass
class Found:
    logits: Tensor
    loss: Tensor | None = None


class Record(Net):
    def forward(self, x: Tensor) -> Any:
        return Found(super().forward(x))


class Output(OrderedDict[str, Any]):
    """As a library's output: a table whose entries are attributes too."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class Library(Net):
    def forward(self, x: Tensor) -> Any:
        logits = super().forward(x)
        return Output(loss=logits.square().mean(), logits=logits)


class Heads(NamedTuple):
    logits: Tensor
    aux: Tensor


class Two(Net):
    def __init__(self) -> None:
        super().__init__()
        self.aux = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Any:
        return Heads(super().forward(x), self.aux(x))


class Gained(Block):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * self.gain)


class Scalar(Net):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.blocks[1] = Gained()

    def forward(self, x: Tensor) -> Any:
        return super().forward(x) * self.scale


class Outside(Net):
    """Reads a parameter of a block outside of it."""

    def forward(self, x: Tensor) -> Any:
        return super().forward(x * self.blocks[1].first.bias)


class Frozen(Net):
    def __init__(self) -> None:
        super().__init__()
        self.blocks[0].requires_grad_(False)
        self.head.bias.requires_grad_(False)


class Tied(Net):
    def __init__(self) -> None:
        super().__init__()
        self.blocks[2].last.weight = self.blocks[0].first.weight


class Counting(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("order", torch.arange(WIDTH).flip(0))

    def forward(self, x: Tensor) -> Any:
        self.steps += 1
        return super().forward(x[:, self.order])


class Sparse(Net):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(32, WIDTH, sparse=True)

    def forward(self, x: Tensor) -> Any:
        return super().forward(x + self.table((x[:, 0] * 4).long() % 32))


class TwoTypes(Block):
    def __init__(self) -> None:
        super().__init__()
        self.last.double()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(torch.tanh(self.first(x)).double()).to(x.dtype)


class Mixed(Net):
    """Weights of two types within a block."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks[1] = TwoTypes()


class InPlace(Net):
    """A chain whose links change their input: by a layer, as EfficientNet and MNASNet do."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(WIDTH, WIDTH))  # type: ignore[assignment]


class Written(Block):
    def forward(self, x: Tensor) -> Tensor:
        x.mul_(2)
        return self.last(self.first(x))


class InPlaceByHand(Net):
    """By an operator."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks[1] = Written()


class Unused(Net):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(WIDTH, WIDTH)
        self.blocks[0].spare = nn.Linear(WIDTH, WIDTH)


class Dropped(Net):
    """Leaves out layers at random, the same ones on every rank."""

    def __init__(self) -> None:
        super().__init__()
        self.random = random.Random(5)

    def forward(self, x: Tensor) -> Any:
        for block in self.blocks:
            if self.random.random() < 0.6:
                x = block(x)
        return self.head(x)


class DroppedByRank(Net):
    """Leaves out layers at random, by torch's own generator."""

    def forward(self, x: Tensor) -> Any:
        for block in self.blocks:
            if torch.rand(()) < 0.6:
                x = block(x)
        return self.head(x)


class Turned(Net):
    """Calls its blocks in an order that depends on the data."""

    def forward(self, x: Tensor) -> Any:
        for block in self.blocks if x.sum() > 0 else reversed(self.blocks):
            x = block(x)
        return self.head(x)


class Experts(Net):
    """Sends each row to one of its experts, of which some may get none."""

    def forward(self, x: Tensor) -> Any:
        chosen = (x[:, 0] > 1).long() + (x[:, 0] < -1).long() * 2
        out = torch.zeros_like(x)
        for number, block in enumerate(self.blocks):
            mask = chosen == number
            if mask.any():
                out = out.index_put((mask,), block(x[mask]))
        return self.head(out)


class Parts(Net):
    """Has parts that the loss calls itself."""


class Low(Net):
    def __init__(self) -> None:
        super().__init__()
        self.bfloat16()

    def forward(self, x: Tensor) -> Any:
        return super().forward(x.bfloat16()).float()


class Double(Net):
    def __init__(self) -> None:
        super().__init__()
        self.double()

    def forward(self, x: Tensor) -> Any:
        return super().forward(x.double())


KINDS: dict[str, type[Net]] = {
    "plain": Net,
    "table": Table,
    "record": Record,
    "library": Library,
    "two heads": Two,
    "scalar": Scalar,
    "outside": Outside,
    "frozen": Frozen,
    "tied": Tied,
    "counting": Counting,
    "sparse": Sparse,
    "mixed types": Mixed,
    "in place": InPlace,
    "in place by hand": InPlaceByHand,
    "unused": Unused,
    "dropped": Dropped,
    "dropped by rank": DroppedByRank,
    "dropped alike": DroppedByRank,
    "experts": Experts,
    "turned": Turned,
    "parts": Parts,
    "bfloat16": Low,
    "double": Double,
    "groups": Net,
}


def build_model(kind: str) -> nn.Module:
    return KINDS[kind]()


def loss(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    x, wanted = batch["x"], batch["y"]
    if isinstance(model, Parts):
        return F.mse_loss(model.head(model.blocks[0](x)), wanted) + model(x).square().mean()
    found = model(x)
    if isinstance(found, dict) and "loss" in found:
        return found["loss"]  # type: ignore[no-any-return]
    if isinstance(found, dict):
        found = found["logits"]
    if isinstance(found, Found | Heads):
        extra = F.mse_loss(found.aux, wanted) if isinstance(found, Heads) else 0
        return F.mse_loss(found.logits, wanted) + extra
    return F.mse_loss(found, wanted.to(found.dtype))


def make_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    named = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    biases = [each for name, each in named if name.endswith("bias")]
    others = [each for name, each in named if not name.endswith("bias")]
    groups = [{"params": others, "lr": 0.05}, {"params": biases, "lr": 0.01}]
    return torch.optim.SGD(groups, lr=0.05)


def batches(rank: int, world_size: int, batch: int, device: torch.device) -> Iterator[dict[str, Tensor]]:
    for step in count():
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(world_size * batch, WIDTH, generator=generator)
        mine = slice(rank * batch, (rank + 1) * batch)
        yield {"x": x[mine], "y": x.flip(1)[mine]}
