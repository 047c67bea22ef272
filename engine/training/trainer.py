"""One training: the model, its optimizer, a step, an evaluation."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from ..plan.plan import RunSpec
from ..plan.workload.user_code import user_code_of
from ..text.plain import described
from .data.datasets import Note
from .device.devices import RankDevices
from .errors import TrainingError
from .optimizer import (
    Schedule,
    check_all_used,
    check_optimizer,
    check_some_used,
    clip_gradients,
    define_momentum,
    make_scaler,
    parameters_to_train,
)
from .parallel.averaging import averaging
from .parallel.dense import stored_values
from .parallel.group import NOTE_INTERVAL, Group
from .parallel.sharding import local
from .prepared_model import prepare_model
from .trainings.training import Batch, Batches, Tally, Training
from .wrapping.dynamo import CUDA_GRAPHS, uncompiled
from .wrapping.wrapper import unwrapped


class Saved(NamedTuple):
    """The initial state of a training; an optimizer has none."""

    tensors: dict[str, list[Tensor]]
    """Values of each parameter and buffer on the CPU, as `stored_values` divides them."""
    extra: dict[str, Any]
    """Extra state of the modules that have some, by the module's name."""
    scaler: dict[str, Any]


class Trainer:
    """Trains a rank's model; all ranks of one training start with the same weights."""

    def __init__(
        self,
        run: RunSpec,
        rank: int,
        devices: RankDevices,
        training: Training,
        batches: Batches,
        group: Group,
    ) -> None:
        workload = run.workload_of(rank)
        device = devices.first
        self.training = training
        self.plain, self.model = prepare_model(run, rank, devices, training, group)
        """The model for evaluation, counts and comparisons, and as the run's mode wraps it."""
        self.optimizer = training.make_optimizer(self.plain, fused=devices.fuses_optimizers)
        self.scaler = make_scaler(workload, device)
        self.schedule = Schedule(workload, batches.steps_per_epoch)
        finds_out = workload.find_unused_parameters or workload.static_graph
        self._awaited = parameters_to_train(self.plain) if run.mode == "ddp" and not finds_out else []
        """Parameters whose gradients ddp waits for in every step."""
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self._wanted_rate = 0.0
        self.learning_rate = 0.0
        """Learning rate of the last step."""
        self.accumulate = workload.accumulate
        """Passes of a step, each with a batch of its own."""
        self.samples = 0
        """Samples of the last step on this rank."""
        self.tally: Tally | None = None
        """Collector of loss and score of the training steps; None where they are not needed."""
        self._has_graphs = workload.compile and workload.compile_mode in CUDA_GRAPHS
        self._device = device
        self._batches = batches
        self._group = group
        self._workload = workload
        self._step = 0
        self._seed = seed_of_steps(run, rank)
        torch.manual_seed(self._seed)

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return sum(parameter.numel() for parameter in self.plain.parameters())

    @property
    def buffer_bytes(self) -> int:
        """The size of the model's buffers in memory, in bytes."""
        parts = [part for buffer in self.plain.buffers() for part in stored_values(buffer)]
        return sum(part.numel() * part.element_size() for part in parts)

    def step(self, batch: Batch, more: Iterable[Batch] = ()) -> Tensor:
        """Take one optimizer step; return its mean loss over the batches, detached, on the device.

        `more`: the batches of the other passes, of which each is fetched when the one before is done with.
        """
        losses = []
        self.samples = 0
        for number, part in enumerate(chain((batch,), more), start=1):
            with self.one_pass(number):
                loss, outputs = self.forward(part)
                self.backward(loss)
            # What a CUDA graph has computed is overwritten when it runs again.
            loss = loss.detach().clone() if self._has_graphs else loss.detach()
            if self.tally is not None:
                self.tally.add(loss, outputs, part)
            self.samples += self.training.samples(part)
            losses.append(loss)
        self.update()
        return losses[0] if len(losses) == 1 else torch.stack(losses).mean()

    def one_pass(self, number: int) -> AbstractContextManager[None]:
        """Return the context of a step's forward and backward pass, of which the first has number 1.

        Gradients are averaged over the ranks in the last; before, each rank adds up its own.
        """
        if self._has_graphs:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        if self.accumulate == 1:
            return nullcontext()
        # A static graph is learnt in the first pass, which has to average; what is averaged can be again.
        learning = self._workload.static_graph and self._step == 0
        return averaging(self.model, learning or number == self.accumulate)

    def forward(self, batch: Batch) -> tuple[Tensor, Any]:
        """Do the first part of a pass; return the mean loss of a batch, and what a tally needs besides."""
        return self.training.loss(self.model, batch)

    def backward(self, loss: Tensor) -> None:
        """Do the second part: add to the gradients, and in the last pass average them over the ranks."""
        part = loss if self.accumulate == 1 else loss / self.accumulate
        self.scaler.scale(part).backward()  # type: ignore[no-untyped-call]

    def update(self) -> None:
        """Do the last part of a step: let the optimizer consume the gradients."""
        self._set_learning_rate()
        if self._step == 0:
            check_some_used(self.plain)
        if any(parameter.grad is None for parameter in self._awaited):
            check_all_used(self.plain)
        if self._workload.clip_gradients != "none":
            self.scaler.unscale_(self.optimizer)
            clip_gradients(self.optimizer, self._workload.clip_gradients)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self._step == 0:
            check_optimizer(self.optimizer, self.plain)
        self._step += 1

    def _set_learning_rate(self) -> None:
        wanted = self.schedule.learning_rate(self._step)
        if wanted == self._wanted_rate:
            return
        self._wanted_rate = wanted
        base = self._workload.learning_rate
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            # The groups of a user's own optimizer have rates of their own, which the schedule scales.
            group["lr"] = wanted if rate == base else rate * (wanted / base)
        self.learning_rate = float(self.optimizer.param_groups[0]["lr"])

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
        model = unwrapped(self.plain)
        return {**dict(model.named_parameters()), **dict(model.named_buffers())}

    def evaluate(self, note: Note) -> tuple[float, float | None]:
        """Return mean loss and score over the whole test set, of which every rank evaluates its part."""
        # The statistics of batch norm differ from rank to rank: all evaluate with rank 0's.
        self._group.share(list(self.plain.buffers()))
        tally = self.training.new_tally(self._device)
        self.plain.eval()
        noted = time.monotonic()
        with torch.no_grad(), uncompiled():
            for done, batch in enumerate(self._test_batches()):
                tally.add(*self.training.evaluate(self.plain, batch), batch)
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
                self.training.evaluate(self.plain, self.training.example(1, self._device))
            else:
                yield batch
                batch = next(batches, None)
        self.plain.reshard()

    def replicas_equal(self) -> bool:
        """Return whether all ranks of this training hold the same parameters, bit for bit."""
        return self._group.agree(list(self.plain.parameters()))


def seed_of_steps(run: RunSpec, rank: int) -> int:
    """Return the seed of the random numbers that a rank's steps draw, such as those of dropout.

    They differ from rank to rank. But a model of the user's own may leave out blocks at random, and all ranks
    of fsdp have to leave out the same ones.
    """
    workload = run.workload_of(rank)
    alike = run.mode == "fsdp" and user_code_of(workload) is not None
    return workload.seed * 1_000_003 + (0 if alike else rank) + 1
