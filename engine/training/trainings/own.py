"""A training of one's own: model, loss and whatever else its file defines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from operator import index
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ...plan.workload.trainings import DEFAULT_UNIT
from ...plan.workload.workload import Workload
from ...record.events import UnreadImages
from ..data.datasets import Note
from ..errors import TrainingError
from ..models.registry import check_trainable
from ..nested import tensors_in
from ..parallel.group import Group
from ..wrapping.wrapper import Wrapper, unwrapped
from .images import ImageTraining
from .mean_tally import MeanTally
from .own_batches import OwnBatches
from .own_file import OwnFile
from .own_optimizer import problem_with_optimizer
from .training import Batch, Batches, Share, Training

Loss = Callable[[nn.Module, Batch], Any]
MOST_SAMPLES = 10**15
"""Number that a batch's units are below: sums of larger ones are not exact."""


class WithLoss(Wrapper):
    """A model and its loss as one module, which a mode wraps whole.

    The loss may then call the model as often as it likes, and any part of it, in every mode.
    """

    def __init__(self, model: nn.Module, loss: Loss, evaluate: Loss) -> None:
        super().__init__(model)
        self._loss = loss
        self._evaluate = evaluate

    def forward(self, batch: Batch, testing: bool = False) -> Any:
        """Return the loss of a batch, or what evaluating it gives."""
        found = (self._evaluate if testing else self._loss)(self.model, batch)
        if getattr(self, "_is_replica", False) and isinstance(found, Tensor):
            return found.reshape(-1)  # which DataParallel puts together
        return found


class OwnTraining(Training):
    """Calls the functions of a user's file, and says in one sentence what is wrong with what they return."""

    unit = DEFAULT_UNIT

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self._data = ImageTraining(workload)
        """The preset's data, where the file makes none."""
        self._batches: OwnBatches | None = None

    @cached_property
    def _file(self) -> OwnFile:
        file = OwnFile(Path(self.workload.training))
        self.unit = file.unit
        return file

    @cached_property
    def _count(self) -> Callable[[Batch], Any] | None:
        """Function of the file that counts the units of a batch; None where it has none."""
        return self._file.function("samples") if self._file.has("samples") else None

    def open(self, share: Share, note: Note) -> Batches:
        """Implement `Training`."""
        if not self._file.has("batches"):
            return self._data.open(share, note)
        self._batches = OwnBatches(self._file, share, channels_last=self.workload.channels_last)
        return self._batches

    @property
    def sizes(self) -> tuple[int | None, int | None]:
        """Implement `Training`."""
        return (None, None) if self._batches is not None else self._data.sizes

    def check_alike(self, group: Group) -> None:
        """Implement `Training`."""
        if self._batches is None:
            self._data.check_alike(group)
            return
        lengths = [length for (length,) in group.gather([float(self._batches.steps_per_epoch)])]
        if len(set(lengths)) > 1:
            each = ", ".join(f"{length:,.0f}" for length in lengths)
            raise self._file.error(
                "batches", f"must return as many batches on every rank, and returned {each}"
            )

    def skipped_images(self) -> list[UnreadImages]:
        """Implement `Training`."""
        return [] if self._batches is not None else self._data.skipped_images()

    def replaced_images(self) -> list[UnreadImages]:
        """Implement `Training`."""
        return [] if self._batches is not None else self._data.replaced_images()

    def build_model(self) -> nn.Module:
        """Implement `Training`."""
        file, arguments = self._file, self.workload.arguments
        file.check_arguments(arguments)
        with file.calling("build_model"):
            model = file.function("build_model")(**arguments)
        if not isinstance(model, nn.Module):
            raise file.error("build_model", f"returned {type(model).__name__}, not a torch.nn.Module")
        check_trainable(model, f"{file.place('build_model')}: it returns a model that")
        return model

    def module_of(self, model: nn.Module) -> nn.Module:
        """Implement `Training`."""
        loss = self._file.function("loss")
        evaluate = self._file.function("evaluate") if self._file.has("evaluate") else loss
        return WithLoss(model, loss, evaluate)

    def mixes_types(self, model: nn.Module) -> bool:  # noqa: ARG002
        """Implement `Training`."""
        return True

    def make_optimizer(self, model: nn.Module, *, fused: bool) -> Optimizer:
        """Implement `Training`."""
        file = self._file
        if not file.has("make_optimizer"):
            return super().make_optimizer(model, fused=fused)
        own = unwrapped(model)
        with file.calling("make_optimizer"):
            optimizer = file.function("make_optimizer")(own)
        if problem := problem_with_optimizer(optimizer, own):
            raise file.error("make_optimizer", problem)
        assert isinstance(optimizer, Optimizer)
        return optimizer

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, None]:
        """Implement `Training`; the tally needs nothing besides the loss."""
        with self._file.calling("loss"):
            loss = model(batch)
        if isinstance(model, nn.DataParallel) and isinstance(loss, Tensor) and loss.dim() == 1:
            loss = loss.mean()  # one of each device, on equal parts of the batch
        loss = self._scalar("loss", loss)
        if not loss.requires_grad:
            raise self._file.error(
                "loss",
                "returned a loss without a gradient: it is detached, computed without gradients, or depends "
                "on no parameter that is trained",
            )
        return loss, None

    def evaluate(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the loss of a test batch, and the score that `evaluate` of the file returns beside it."""
        name = "evaluate" if self._file.has("evaluate") else "loss"
        with self._file.calling(name):
            found = model(batch, True)
        if name == "loss" or not isinstance(found, tuple):
            return self._scalar(name, found), None
        if len(found) != 2:
            raise self._file.error(
                name, f"returned {len(found)} values: expected the loss, or loss and score"
            )
        loss, score = found
        if isinstance(score, int | float):
            score = torch.tensor(float(score))
        if not 0 <= float(self._scalar(name, score)) <= 1:
            raise self._file.error(name, f"returned the score {float(score):g}: expected one from 0 to 1")
        return self._scalar(name, loss), self._scalar(name, score)

    def _scalar(self, name: str, value: object) -> Tensor:
        """Return a value as a tensor without dimensions, if it is one number. Raises TrainingError."""
        if not isinstance(value, Tensor):
            hint = ": return the tensor itself, without .item()" if isinstance(value, float) else ""
            raise self._file.error(name, f"returned {type(value).__name__}, not a tensor of one number{hint}")
        if value.numel() != 1:
            shape = " x ".join(map(str, value.shape)) if value.dim() > 1 else f"{len(value)}-element"
            raise self._file.error(
                name, f"returned a {shape} tensor where one number is expected: take its mean"
            )
        if value.is_complex():
            raise self._file.error(name, f"returned a tensor of {value.dtype}: take its real part")
        if not value.is_floating_point():
            raise self._file.error(name, f"returned a tensor of {value.dtype}, which has no gradient")
        if value.layout is not torch.strided:
            raise self._file.error(name, f"returned a tensor of layout {value.layout}: make it dense")
        return value.reshape(()) if value.dim() else value

    def samples(self, batch: Batch) -> int:
        """Implement `Training`."""
        if self._count is None:
            with self._file.calling("loss" if self._batches is None else "batches"):
                length = _length(batch)
            if not length and self._batches is not None:
                remedy = "yield no empty ones, or define samples(batch)"
                raise self._file.error("batches", f"made a batch whose first tensor is empty: {remedy}")
            return length
        with self._file.calling("samples"):
            found = self._count(batch)
        if type(found) is int and 0 < found < MOST_SAMPLES:
            return found
        return self._whole(found)

    def _whole(self, found: object) -> int:
        """Return what `samples` has returned as an integer, if it is a possible one. Raises TrainingError."""
        number = found.item() if isinstance(found, Tensor) and found.numel() == 1 else found
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        try:
            whole = index(number)  # type: ignore[arg-type]
        except TypeError:
            said = f"{number:g}" if isinstance(number, float) else type(found).__name__
            raise self._file.error("samples", f"returned {said}, not a whole number") from None
        if not 0 < whole < MOST_SAMPLES:
            said = f"{whole:,}" if abs(whole) < MOST_SAMPLES else "a number beyond 10^15"
            raise self._file.error("samples", f"returned {said}: a batch holds one unit at least")
        return whole

    def new_tally(self, device: torch.device) -> MeanTally:
        """Implement `Training`."""
        return MeanTally(device, self.samples)

    def example(self, size: int, device: torch.device) -> Batch:
        """Return a batch; where the file makes them, of the size of its first."""
        if self._batches is None:
            return self._data.example(size, device)
        if self._batches.shapes is None:
            raise TrainingError("there is no batch to take the shapes of")
        return self._batches.example(device)


def _length(batch: Batch) -> int:
    """Return the first dimension of a batch's first tensor that has one."""
    if isinstance(batch, tuple | list) and batch and isinstance(batch[0], Tensor) and batch[0].dim():
        return len(batch[0])
    return next((len(tensor) for tensor in tensors_in(batch) if tensor.dim()), 1)
