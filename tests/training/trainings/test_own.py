"""Trainings of one's own: what is wrong with a file is told in a sentence that names its line."""

from __future__ import annotations

import math
from collections import UserDict, UserList, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from gpubench_tui.engine.plan.workload.user_code import UserCode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.errors import TrainingError, sentence_of
from gpubench_tui.engine.training.nested import changed, out_of_reach, tensors_in
from gpubench_tui.engine.training.optimizer import check_all_used, check_some_used
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.parallel.modes import Shard
from gpubench_tui.engine.training.precision import Autocast
from gpubench_tui.engine.training.setup import settings_of
from gpubench_tui.engine.training.trainings.choice import training_of
from gpubench_tui.engine.training.trainings.mean_tally import MOST_LOSSES, MeanTally
from gpubench_tui.engine.training.trainings.training import Batch, Share, Training
from torch import nn
from torch.nn.utils.rnn import pack_sequence

SOUND = """
import torch
from torch import nn
def build_model(width=4): return nn.Linear(width, 1)
def loss(model, batch): return model(batch).mean()
def batches(rank, world_size, batch, device): return [torch.full((batch, 4), n + 1.0) for n in range(3)]
"""


def opened(folder: Path, source: str, batch: int = 5, **keys: Any) -> tuple[Training, Any]:
    file = folder / "own.py"
    file.write_text(source)
    training = training_of(Workload(training=str(file), **keys))
    share = Share(Shard(accumulate=training.workload.accumulate), batch, CpuDevices(), 0, folder)
    return training, training.open(share, print)


def one_step(folder: Path, source: str, **keys: Any) -> tuple[torch.Tensor, Any]:
    training, batches = opened(folder, source, **keys)
    model = training.module_of(training.build_model())
    training.make_optimizer(model, fused=False)
    batch = next(batches.train(0, None))
    training.samples(batch)
    training.evaluate(model, batch)
    return training.loss(model, batch)


def without(name: str) -> str:
    return "\n".join(line for line in SOUND.splitlines() if not line.startswith(f"def {name}("))


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "no model": (without("build_model"), {}, "own.py has no function 'build_model'"),
    "no function": (without("loss") + "\nloss = 3", {}, "own.py: loss is int, not a function"),
    "a loss of one": (
        without("loss") + "\ndef loss(model): ...",
        {},
        ":6: loss must be callable as loss(model, batch)",
    ),
    "an unknown argument": (
        SOUND,
        {"arguments": {"size": 1}},
        ":4: build_model does not take the workload's arguments",
    ),
    "no module": (
        without("build_model") + "\ndef build_model(): return 3",
        {},
        ":6: build_model returned int",
    ),
    "nothing to train": (
        without("build_model") + "\ndef build_model(): return nn.ReLU()",
        {},
        ":6, in build_model: it returns a model that has no parameters to train",
    ),
    "a number": (
        without("loss") + "\ndef loss(model, batch): return model(batch).mean().item()",
        {},
        ":6: loss returned float, not a tensor of one number: return the tensor itself, without .item()",
    ),
    "a row": (
        without("loss") + "\ndef loss(model, batch): return model(batch)",
        {},
        ":6: loss returned a 5 x 1 tensor where one number is expected: take its mean",
    ),
    "no gradient": (
        without("loss") + "\ndef loss(model, batch): return model(batch).mean().detach()",
        {},
        ":6: loss returned a loss without a gradient",
    ),
    "whole numbers": (
        without("loss") + "\ndef loss(model, batch): return model(batch).sum().long()",
        {},
        ":6: loss returned a tensor of torch.int64",
    ),
    "an error": (
        without("loss") + "\ndef loss(model, batch):\n    return 1 / 0",
        {},
        ":7, in loss: ZeroDivisionError: division by zero",
    ),
    "no tensors": (
        without("batches") + "\ndef batches(*_): return ['text']",
        {},
        ":6: batches made a batch of no tensors: str",
    ),
    "a tensor that is not moved": (
        without("batches")
        + "\nclass Extra: ...\ndef batches(*_):\n    extra = Extra()\n    extra.mask = torch.ones(5)\n"
        + "    return [(torch.ones(5, 4), [extra])]",
        {},
        ":7: batches made a batch with a tensor at batch[1][0].mask, in an object of type Extra, which is",
    ),
    "no batches": (
        without("batches") + "\ndef batches(*_): return 7",
        {},
        ":6: batches returned int: it must yield",
    ),
    "no batch at all": (
        without("batches") + "\ndef batches(*_): return []",
        {},
        ":6: batches returned no batch",
    ),
    "no optimizer": (SOUND + "def make_optimizer(model): return 3", {}, ":7: make_optimizer returned int"),
    "no count": (
        SOUND + "def samples(batch): return 'many'",
        {},
        ":7: samples returned str, not a whole number",
    ),
    "three results": (
        SOUND + "def evaluate(model, batch): return 1, 2, 3",
        {},
        ":7: evaluate returned 3 values",
    ),
    "a complex number": (
        without("loss") + "\ndef loss(model, batch): return model(batch).mean() * (1 + 2j)",
        {},
        ":6: loss returned a tensor of torch.complex64: take its real part",
    ),
    "a sparse number": (
        without("loss") + "\ndef loss(model, batch): return model(batch).mean().to_sparse()",
        {},
        ":6: loss returned a tensor of layout torch.sparse_coo",
    ),
    "an error of a library": (
        without("loss") + "\nloss = nn.MSELoss()",
        {},
        "own.py, in loss: AttributeError: 'Linear' object has no attribute 'size'",
    ),
    "no parameters with values": (
        without("build_model") + "\ndef build_model(): return nn.Linear(4, 1, device='meta')",
        {},
        ":6, in build_model: it returns a model that has parameters on the meta device",
    ),
    "a model for inference": (
        without("build_model") + "\n@torch.inference_mode()\ndef build_model(): return nn.Linear(4, 1)",
        {},
        "in build_model: it returns a model that has parameters made in inference mode",
    ),
    "a relative import": (SOUND + "from .parts import Part", {}, "import what lies beside it by its name"),
    "an iterator that fails": (
        without("batches") + "\ndef batches(*_):\n    raise StopIteration\n    yield",
        {},
        "in batches: RuntimeError: generator raised StopIteration",
    ),
    "a length below zero": (
        without("batches")
        + "\nclass Many:\n    __len__ = lambda self: -1\n    __iter__ = lambda self: iter([1])\n"
        + "def batches(*_): return Many()",
        {},
        ":9, in batches: ValueError: __len__() should return >= 0",
    ),
    "a batch within itself": (
        without("batches") + "\ndef batches(*_):\n    made = []\n    made.append(made)\n    return [made]",
        {},
        ":6, in batches: RecursionError",
    ),
    "a batch without values": (
        without("batches") + "\ndef batches(*_): return [torch.ones(5, 4, device='meta')]",
        {},
        ":6: batches made a batch on the meta device",
    ),
    "an empty batch": (
        without("batches") + "\ndef batches(*_): return [torch.ones(0, 4)]",
        {},
        ":6: batches made a batch whose first tensor is empty",
    ),
    "a batch without sizes": (
        without("batches")
        + "\ndef batches(*_): return [torch.nested.nested_tensor([torch.ones(1, 4), torch.ones(2, 4)])]",
        {},
        ":6, in batches: RuntimeError",
    ),
    "one batch alone": (
        without("batches") + "\ndef batches(*_): return {'x': torch.ones(5, 4)}",
        {},
        ":6: batches returned dict: it must yield batches",
    ),
    "less than nothing": (
        SOUND + "def samples(batch): return -5",
        {},
        ":7: samples returned -5: a batch holds one unit at least",
    ),
    "a part of one": (SOUND + "def samples(batch): return 3.7", {}, ":7: samples returned 3.7, not a whole"),
    "without end": (SOUND + "def samples(batch): return float('inf')", {}, ":7: samples returned inf, not a"),
    "too many": (SOUND + "def samples(batch): return 10**400", {}, ":7: samples returned a number beyond"),
    "a share in percent": (
        SOUND + "def evaluate(model, batch): return batch.mean(), 55",
        {},
        ":7: evaluate returned the score 55: expected one from 0 to 1",
    ),
    "a step with a closure": (
        SOUND
        + "class Closed(torch.optim.SGD):\n    def step(self, closure): ...\n"
        + "def make_optimizer(model): return Closed(model.parameters(), lr=1)",
        {},
        ":9: make_optimizer returned Closed, not a torch.optim.Optimizer whose step needs no closure",
    ),
    "no learning rate": (
        SOUND
        + "class Still(torch.optim.Optimizer):\n    def step(self): ...\n"
        + "def make_optimizer(model): return Still(model.parameters(), {})",
        {},
        ":9: make_optimizer returned an optimizer with a group of parameters that has no learning rate",
    ),
    "parameters left out": (
        SOUND + "def make_optimizer(model): return torch.optim.SGD([model.weight])",
        {},
        ":7: make_optimizer leaves out bias: give the optimizer all parameters, or freeze",
    ),
    "parameters of others": (
        SOUND + "def make_optimizer(model): return torch.optim.SGD([*model.parameters(), torch.ones(1)])",
        {},
        ":7: make_optimizer returned an optimizer of parameters that are not those of the model",
    ),
    "no text": (SOUND + "UNIT = ''", {}, "own.py: UNIT must be a word"),
    "no characters": (SOUND + "UNIT = 'a\x1bb'", {}, r"own.py: UNIT must be a word that can be printed"),
    "a long unit": (SOUND + "UNIT = 'x' * 3000", {}, "own.py: UNIT must have 24 characters at most"),
    "a rate": (SOUND + "UNIT = 'tokens/s'", {}, 'own.py: UNIT must be what is counted, "tokens"'),
    "a list": (SOUND + "UNIT = ['frames']", {}, 'UNIT must be text, as in UNIT = "frames", not list'),
    "sparse gradients": (
        without("build_model") + "\ndef build_model(): return nn.Sequential(nn.Embedding(4, 4, sparse=True))",
        {"optimizer": "adamw"},
        "0 makes sparse gradients, which adamw does not take",
    ),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(case: str, tmp_path: Path) -> None:
    source, keys, words = WRONG[case]
    with pytest.raises(BaseException) as caught:
        one_step(tmp_path, source, **keys)
    said = sentence_of(caught.value, 8, UserCode(tmp_path / "own.py"))
    assert words in said
    assert str(tmp_path) in said or case == "sparse gradients"


def test_a_sound_file_trains(tmp_path: Path) -> None:
    loss, outputs = one_step(tmp_path, SOUND)
    assert loss.shape == () and loss.requires_grad and outputs is None


def values(batches: Any, first: int, end: int | None, most: int) -> list[float]:
    return [float(batch[0, 0]) for batch, _ in zip(batches.train(first, end), range(most), strict=False)]


def test_batches_are_repeated_as_they_can_be(tmp_path: Path) -> None:
    training, batches = opened(tmp_path, SOUND)
    assert (batches.steps_per_epoch, training.samples(next(batches.train(0, 1)))) == (3, 5)
    assert values(batches, 0, None, 7) == [1, 2, 3, 1, 2, 3, 1]
    assert values(batches, 1, 3, 99) == [1, 2, 3, 1, 2, 3]
    ending = (
        without("batches") + "\ndef batches(*_):\n    for n in range(2): yield torch.full((1, 4), 1.0 + n)"
    )
    _, batches = opened(tmp_path, ending)
    assert batches.steps_per_epoch == 0
    assert values(batches, 0, None, 5) == [1, 2, 1, 2, 1]


STREAM = """
from torch.utils.data import DataLoader, IterableDataset
class Rows(IterableDataset):
    def __iter__(self): return iter(torch.ones(9, 4))
def batches(rank, world_size, batch, device): return DataLoader(Rows(), batch)
"""


def test_a_loader_of_a_stream_has_no_length(tmp_path: Path) -> None:
    training, batches = opened(tmp_path, without("batches") + STREAM)
    stream = batches.train(0, None)
    assert batches.steps_per_epoch == 0
    assert [training.samples(next(stream)) for _ in range(4)] == [5, 4, 5, 4]


@pytest.mark.parametrize("returned", ["7", "torch.tensor(7)", "torch.tensor([7.0])", "7.0"])
def test_a_count_is_whole_in_whatever_type(returned: str, tmp_path: Path) -> None:
    training, _ = opened(tmp_path, SOUND + f"def samples(batch): return {returned}")
    found = training.samples(torch.ones(1, 4))
    assert found == 7 and type(found) is int


def test_a_test_set_has_a_score_where_the_file_gives_one(tmp_path: Path) -> None:
    source = (
        SOUND
        + "def test_batches(rank, world_size, batch, device): return [torch.zeros(3, 4), torch.ones(1, 4)]\n"
        + "def evaluate(model, batch): return batch.mean(), 0.25 + batch.mean() / 2\n"
    )
    training, batches = opened(tmp_path, source)
    model = training.module_of(training.build_model())
    tally = training.new_tally(torch.device("cpu"))
    for batch in batches.test():
        tally.add(*training.evaluate(model, batch), batch)
    assert tally.read(Group()) == pytest.approx((0.25, (3 * 0.25 + 0.75) / 4))


def test_means_count_batches_by_their_units() -> None:
    tally = MeanTally(torch.device("cpu"), len)
    for size, loss in ((1, 4.0), (3, 8.0)):
        tally.add(torch.tensor(loss), None, [0] * size)
    assert tally.read(Group()) == (7.0, None)
    for number in range(2 * MOST_LOSSES):  # more than it keeps apart, of several types, some with a score
        score = torch.tensor(0.5) if number % 2 else None
        tally.add(torch.tensor(7.0, dtype=(torch.float32, torch.bfloat16)[number % 2]), score, [0] * 5)
    assert tally.read(Group()) == (7.0, 0.5)
    loss, score = MeanTally(torch.device("cpu"), len).read(Group())
    assert math.isnan(loss) and score is None


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclass(frozen=True)
class Frozen:
    x: Any
    name: str = "kept"


@dataclass
class Partly:
    """Has a field that is not set."""

    x: Any
    later: Any = field(init=False)


class Attributes(dict[str, Any]):
    """A table whose entries are attributes too, and which raises KeyError for all others."""

    __getattr__ = dict.__getitem__


class Graph:
    """Has a method of its own to be moved, as graphs of libraries do."""

    def __init__(self, x: torch.Tensor) -> None:
        self.x, self.nodes = x, 3

    def to(self, device: Any) -> Graph:
        return self


@pytest.mark.parametrize(
    "make",
    [
        *(lambda t: t, lambda t: (t, 1, "text"), lambda t: [t, [t]], lambda t: {"x": {"y": (t,)}}),
        *(lambda t: Pair(t, None), lambda t: Frozen([t]), Graph, Partly, lambda t: Attributes(x=t)),
        *(lambda t: UserDict(x=[t]), lambda t: MappingProxyType({"x": t}), lambda t: pack_sequence([t])),
        *(lambda t: deque([t, t], 2), lambda t: UserList([(t,)]), lambda t: (SimpleNamespace(x=[t]), t)),
    ],
)
def test_tensors_are_found_in_any_nesting(make: Callable[[torch.Tensor], Batch]) -> None:
    batch = make(torch.ones(2))
    doubled = changed(batch, lambda tensor: tensor * 2)
    assert type(doubled) is type(batch)
    assert {float(tensor[0]) for tensor in tensors_in(batch)} == {1.0}
    assert {float(tensor[0]) for tensor in tensors_in(doubled)} == {2.0}
    assert out_of_reach(batch) is None


class Slotted:
    __slots__ = ("mask", "to")

    def __init__(self, mask: Any) -> None:
        self.mask = mask
        self.to = None


class Plain:
    def __init__(self, x: Any) -> None:
        self.x, self.me = x, self


@pytest.mark.parametrize(
    ("make", "place", "kind"),
    [
        (lambda t: (t, Plain({"a": [1, t * 2]})), "batch[1].x['a'][1]", Plain),
        (lambda t: {"x": t, "extra": Slotted(t * 2)}, "batch['extra'].mask", Slotted),
        (lambda t: [t, {t * 2}], "batch[1]", set),
        (lambda t: SimpleNamespace(x=t, y=Plain(t * 2)), "batch.y.x", Plain),
        (Plain, "batch.x", Plain),
    ],
)
def test_tensors_that_are_not_moved_are_named_with_their_place(
    make: Callable[[torch.Tensor], Batch], place: str, kind: type
) -> None:
    assert out_of_reach(make(torch.ones(2))) == (place, kind)


def test_learning_rates_of_ones_own_optimizer_are_scaled_and_kept_apart(tmp_path: Path) -> None:
    from gpubench_tui.engine.plan.plan import Device, RunSpec
    from gpubench_tui.engine.plan.preset.preset import Measure
    from gpubench_tui.engine.training.trainer import Trainer

    source = (
        SOUND
        + "def make_optimizer(model):\n"
        + "    groups = [{'params': [model.weight], 'lr': 0.5}, {'params': [model.bias], 'lr': 0.25}]\n"
        + "    return torch.optim.SGD(groups, lr=1)\n"
    )
    training, batches = opened(tmp_path, source, milestones=(1,), gamma=0.5, learning_rate=0.3)
    run = RunSpec(
        id="1",
        label="",
        mode="single",
        devices=(Device("cpu", 0, ""),),
        device_count=1,
        workloads=(training.workload,),
        measure=Measure(),
    )
    trainer = Trainer(run, 0, CpuDevices(), training, batches, Group())
    stream = batches.train(0, None)
    for expected in ([0.5, 0.25], [0.5, 0.25], [0.5, 0.25], [0.25, 0.125]):
        trainer.step(next(stream))
        assert [group["lr"] for group in trainer.optimizer.param_groups] == pytest.approx(expected)
        assert trainer.learning_rate == pytest.approx(expected[0])


def test_the_first_step_tells_of_a_loss_without_the_model_and_names_parameters_as_the_file_does(
    tmp_path: Path,
) -> None:
    apart = without("loss") + "\ndef loss(model, batch): return torch.ones((), requires_grad=True)"
    training, _ = opened(tmp_path, apart, precision="bf16")
    model = Autocast(training.module_of(training.build_model()), "cpu", torch.bfloat16)
    with pytest.raises(TrainingError, match="the loss depends on no parameter of the model"):
        check_some_used(model)
    with pytest.raises(TrainingError, match="does not use the parameters weight, bias, for"):
        check_all_used(model)


def test_the_content_of_ones_own_file_is_recorded(ranks: ModuleType, tmp_path: Path) -> None:
    found = []
    for change in ("", "\n# another content"):
        file = tmp_path / "own.py"
        file.write_text(SOUND + change)
        for keys in ({"training": str(file)}, {"model": f"{file}:build_model"}):
            settings = settings_of(ranks.cpu_run("single", 1, Workload(**keys)), 0, CpuDevices())
            found.append(settings.get("training_file") or settings["model_file"])
    assert found[0] == found[1] != found[2] == found[3]


def test_models_without_images_keep_their_own_layout(tmp_path: Path) -> None:
    """Weights of other than four dimensions have no channels-last format."""
    source = (
        without("build_model")
        + "\ndef build_model(): return nn.Sequential(nn.Linear(4, 1), nn.Conv3d(1, 1, 1))"
    )
    training, _ = opened(tmp_path, source, channels_last=True)
    from gpubench_tui.engine.training.prepared_model import to_channels_last

    model = training.build_model()
    model.append(nn.Conv2d(3, 3, 3))
    to_channels_last(model)
    assert model[2].weight.is_contiguous(memory_format=torch.channels_last)
