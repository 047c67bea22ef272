"""One training: the model, its optimizer, a step, an evaluation."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel

from ..plan.models import own_function
from ..plan.plan import RunSpec
from ..text.plain import described
from .data.batches import Batch, Batches
from .data.datasets import Note
from .device.devices import RankDevices
from .dynamo import uncompiled
from .errors import TrainingError
from .models.registry import build_model
from .optimizer import Schedule, check_all_used, check_optimizer, define_momentum, make_optimizer, make_scaler
from .parallel.dense import stored_values
from .parallel.group import NOTE_INTERVAL, Group
from .parallel.modes import wrap_model
from .parallel.sharding import local
from .precision import SIXTEEN_BITS, Autocast, has_float_state

MOST_BATCHES = 256
"""Batches whose predictions and labels a tally keeps, some kB each."""


class Saved(NamedTuple):
    """The initial state of a training; an optimizer has none."""

    tensors: dict[str, list[Tensor]]
    """Values of each parameter and buffer on the CPU, as `stored_values` divides them."""
    extra: dict[str, Any]
    """Extra state of the modules that have some, by the module's name."""
    scaler: dict[str, Any]


class Tally:
    """Loss and hits over many batches, summed on the device.

    A measured step pays for one kernel: what it predicted is compared with the labels many steps later.
    """

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        """Loss and hits of the batches that are summed."""
        self._images = 0
        self._batches: list[tuple[Tensor, Tensor, Tensor]] = []
        """Loss, predictions and labels of those that are not; all of one size."""

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch: its mean loss and its logits."""
        if self._batches and (len(self._batches) == MOST_BATCHES or len(self._batches[0][2]) != len(labels)):
            self._sum_up()
        self._batches.append((loss.detach(), logits.argmax(dim=1), labels))
        self._images += len(labels)

    def read(self, group: Group) -> tuple[float, float]:
        """Return mean loss and share of hits over the images of all ranks; waits for the device."""
        if self._batches:
            self._sum_up()
        everyone = group.gather([*self._sums.tolist(), self._images])
        loss, hits, images = (sum(column) for column in zip(*everyone, strict=True))
        return loss / images, hits / images

    def _sum_up(self) -> None:
        losses, predictions, labels = zip(*self._batches, strict=True)
        self._sums[0] += torch.stack(losses).sum(dtype=torch.float64) * len(labels[0])
        self._sums[1] += (torch.cat(predictions) == torch.cat(labels)).sum()
        self._batches = []


class Trainer:
    """Trains a rank's model; all ranks of one training start with the same weights."""

    def __init__(self, run: RunSpec, rank: int, devices: RankDevices, batches: Batches, group: Group) -> None:
        workload = run.workload_of(rank)
        device = devices.first
        torch.manual_seed(workload.seed)
        model = build_model(workload).to(device)
        # Whatever random numbers a model used, all ranks start with rank 0's weights.
        group.share([*model.parameters(), *model.buffers()])
        if run.mode == "fsdp":
            for parameter in model.parameters():
                parameter.data = parameter.data.contiguous()
        elif workload.channels_last:  # fsdp requires contiguous parameters
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        dtype = SIXTEEN_BITS.get(workload.precision)
        # fsdp gathers weights of 16 bits, with which autocast has nothing to do but where they meet others.
        own = own_function(workload.model) is not None
        autocast = dtype if run.mode != "fsdp" or own or has_float_state(model) else None
        self.plain = Autocast(model, device.type, autocast) if autocast else model
        """The model without wrapper, for evaluation, counts and comparisons."""
        self.model = wrap_model(self.plain, run.mode, devices, compiled=workload.compile, dtype=dtype)
        self.optimizer = make_optimizer(workload, self.plain, fused=devices.fuses_optimizers)
        self.scaler = make_scaler(workload, device)
        self.schedule = Schedule(workload, batches.steps_per_epoch)
        self.learning_rate = 0.0
        """Learning rate of the last step."""
        self.tally: Tally | None = None
        """Collector of loss and hits of the training steps; None where they are not needed."""
        self._device = device
        self._batches = batches
        self._group = group
        self._workload = workload
        self._step = 0
        self._seed = workload.seed * 1_000_003 + rank + 1
        torch.manual_seed(self._seed)  # so that dropout differs from rank to rank

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return sum(parameter.numel() for parameter in self.plain.parameters())

    @property
    def buffer_bytes(self) -> int:
        """The size of the model's buffers in memory, in bytes."""
        parts = [part for buffer in self.plain.buffers() for part in stored_values(buffer)]
        return sum(part.numel() * part.element_size() for part in parts)

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take one optimizer step; return its mean loss over the batch, detached, on the device."""
        logits, loss = self.forward(images, labels)
        self.backward(loss)
        self.update()
        if self.tally is not None:
            self.tally.add(loss, logits, labels)
        return loss.detach()

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Do the first part of a step; return the logits of a batch and their mean loss."""
        logits = self._checked(self.model(images), labels)
        if not logits.requires_grad:
            raise TrainingError(
                f"what {self._workload.model} returns has no gradient: it is detached, computed without "
                "gradients, or depends on no parameter that is trained"
            )
        return logits, F.cross_entropy(logits.float(), labels)

    def _checked(self, logits: object, labels: Tensor) -> Tensor:
        """Return what the model has returned if it is a row of logits per image. Raises TrainingError."""
        name, classes = self._workload.model, self._workload.classes
        if not isinstance(logits, Tensor):
            raise TrainingError(f"{name} returns {type(logits).__name__}, not a tensor of logits")
        if logits.dim() != 2 or len(logits) != len(labels) or logits.shape[1] < classes:
            shape = " x ".join(map(str, logits.shape)) or "scalar"
            raise TrainingError(
                f"{name} returns a {shape} tensor where {len(labels)} x {classes} was expected: one row of "
                f"logits for each image, with an output for each of the {classes} classes (workload.classes)"
            )
        return logits

    def backward(self, loss: Tensor) -> None:
        """Do the second part: compute the gradients, averaged over the ranks of this training."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def update(self) -> None:
        """Do the last part: let the optimizer consume the gradients."""
        self._set_learning_rate()
        if self._step == 0 and isinstance(self.model, DistributedDataParallel):
            check_all_used(self.plain)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self._step == 0:
            check_optimizer(self.optimizer, self.plain)
        self._step += 1

    def _set_learning_rate(self) -> None:
        wanted = self.schedule.learning_rate(self._step)
        if wanted != self.learning_rate:
            self.learning_rate = wanted
            for group in self.optimizer.param_groups:
                group["lr"] = wanted

    def save(self) -> Saved:
        """Return the initial state of the training, copied to the CPU."""
        tensors = {
            name: [part.to("cpu", copy=True) for part in stored_values(local(tensor))]
            for name, tensor in self._tensors().items()
        }
        return Saved(tensors, dict(self._extra_states()), copy.deepcopy(self.scaler.state_dict()))

    def _extra_states(self) -> Iterator[tuple[str, Any]]:
        """Yield a copy of each extra state that a module can be given back, by the module's name."""
        for name, module in self.plain.named_modules():
            kind = type(module)
            if kind.get_extra_state is nn.Module.get_extra_state:
                continue
            if kind.set_extra_state is nn.Module.set_extra_state:
                print(f"{kind.__name__} keeps its extra state over warm-up: it has no set_extra_state")
                continue
            state = module.get_extra_state()
            try:
                yield name, copy.deepcopy(state)
            except Exception as error:  # it may be anything, a lock or an open file
                print(f"{kind.__name__} keeps its extra state over warm-up: {described(error)}")

    def restore(self, saved: Saved) -> None:
        """Return to a saved initial state, as if no step had been taken since.

        Raises TrainingError where a tensor of the model has come, gone or changed its shape meanwhile.
        """
        tensors = {name: stored_values(local(tensor)) for name, tensor in self._tensors().items()}
        for name in sorted(tensors.keys() | saved.tensors.keys()):
            parts, values = tensors.get(name, []), saved.tensors.get(name, [])
            if [part.shape for part in parts] != [value.shape for value in values]:
                raise TrainingError(
                    f"{name} changed its shape during warm-up, so that a training by epochs cannot begin "
                    "anew: give the model's tensors their shapes in __init__"
                )
            for part, value in zip(parts, values, strict=True):
                part.copy_(value)
        for name, state in saved.extra.items():
            self.plain.get_submodule(name).set_extra_state(copy.deepcopy(state))
        self.scaler.load_state_dict(saved.scaler)
        self.optimizer.state.clear()
        define_momentum(self.optimizer)
        self._step = 0
        torch.manual_seed(self._seed)

    def _tensors(self) -> dict[str, Tensor]:
        """Return all parameters, of which this rank holds shards with fsdp, and buffers, by name."""
        for module in self.plain.modules():
            if isinstance(module, FSDPModule):
                module.reshard()
        return {**dict(self.plain.named_parameters()), **dict(self.plain.named_buffers())}

    def evaluate(self, note: Note) -> tuple[float, float]:
        """Return mean loss and accuracy over the whole test set, of which every rank evaluates its part."""
        # The statistics of batch norm differ from rank to rank: all evaluate with rank 0's.
        self._group.share(list(self.plain.buffers()))
        tally = Tally(self._device)
        self.plain.eval()
        noted = time.monotonic()
        with torch.no_grad(), uncompiled():
            for done, (images, labels) in enumerate(self._test_batches()):
                logits = self._checked(self.plain(images), labels)
                tally.add(F.cross_entropy(logits.float(), labels), logits, labels)
                if time.monotonic() - noted > NOTE_INTERVAL:
                    note(f"batch {done + 1}")
                    noted = time.monotonic()
        self.plain.train()
        return tally.read(self._group)

    def _test_batches(self) -> Iterator[Batch]:
        """Yield the rank's test batches; with a sharded model all ranks take part in every forward pass."""
        batches = self._batches.test()
        if not isinstance(self.plain, FSDPModule):
            yield from batches
            return
        batch = next(batches, None)
        while any(more for (more,) in self._group.gather([float(batch is not None)])):
            if batch is None:
                size = self._workload.image_size
                self.plain(torch.zeros(1, 3, size, size, device=self._device))
            else:
                yield batch
                batch = next(batches, None)
        self.plain.reshard()

    def replicas_equal(self) -> bool:
        """Return whether all ranks of this training hold the same parameters, bit for bit."""
        return self._group.agree(list(self.plain.parameters()))
