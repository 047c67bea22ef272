"""Training of image classifiers: built in, torchvision's, or a user's own model."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from ...plan.workload.models import own_function
from ...plan.workload.workload import Workload
from ...record.events import UnreadImages
from ..data.batches import ImageBatch, make_batches
from ..data.datasets import Images, Note, check_same_files, open_data, replaced_images, skipped_images
from ..errors import TrainingError
from ..models.registry import BUILT_IN, build_model
from ..parallel.group import Group
from ..precision import has_float_state
from .outputs import AUXILIARY_WEIGHT, ClassifierOutput, taken_apart
from .training import Batches, Share, Training

MOST_BATCHES = 256
"""Batches whose predictions and labels a tally keeps, some kB each."""
_PLAIN = ClassifierOutput(None)
"""Stands for a tensor alone, which nearly every classifier returns."""


class ImageTraining(Training):
    """Images and labels, the cross-entropy of a model's logits, and its accuracy."""

    unit = "images"

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self._sets: tuple[Images, Images] | None = None

    def open(self, share: Share, note: Note) -> Batches:
        """Implement `Training`."""
        self._sets = open_data(self.workload, share.cache, note)
        return make_batches(
            self._sets, self.workload, share.shard, share.batch, share.devices, share.workers, note
        )

    @property
    def sets(self) -> tuple[Images, Images]:
        """The training set and the test set, once open."""
        assert self._sets is not None, "open() comes first"
        return self._sets

    @property
    def sizes(self) -> tuple[int, int]:
        """Implement `Training`."""
        train, test = self.sets
        return len(train), len(test)

    def check_alike(self, group: Group) -> None:
        """Implement `Training`."""
        check_same_files(self.sets, group)

    def skipped_images(self) -> list[UnreadImages]:
        """Implement `Training`."""
        return skipped_images(self.sets)

    def replaced_images(self) -> list[UnreadImages]:
        """Implement `Training`."""
        return replaced_images(self.sets)

    def build_model(self) -> nn.Module:
        """Implement `Training`."""
        return build_model(self.workload)

    def build_meta_model(self) -> nn.Module:
        """Implement `Training`."""
        if self.workload.model not in BUILT_IN:  # a user's model may need values while it is built
            return super().build_meta_model()
        with torch.device("meta"):
            return self.build_model()

    def mixes_types(self, model: nn.Module) -> bool:
        """Implement `Training`."""
        return own_function(self.workload.model) is not None or has_float_state(model)

    def loss(self, model: nn.Module, batch: ImageBatch) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropy of a batch, auxiliary classifiers' added, and its logits."""
        images, labels = batch
        output = model(images)
        found = _PLAIN if isinstance(output, Tensor) else taken_apart(output)
        logits = self._checked(output if found is _PLAIN else found.logits, labels)
        if not logits.requires_grad:
            raise TrainingError(
                f"what {self.workload.model} returns has no gradient: it is detached, computed without "
                "gradients, or depends on no parameter that is trained"
            )
        loss = F.cross_entropy(logits.float(), labels)
        for auxiliary in found.auxiliary:
            loss = loss + AUXILIARY_WEIGHT * F.cross_entropy(auxiliary.float(), labels)
        return loss, logits

    def evaluate(self, model: nn.Module, batch: ImageBatch) -> tuple[Tensor, Tensor]:
        """Implement `Training`."""
        images, labels = batch
        logits = self._checked(taken_apart(model(images)).logits, labels)
        return F.cross_entropy(logits.float(), labels), logits

    def _checked(self, logits: object, labels: Tensor) -> Tensor:
        """Return what the model has returned if it is a row of logits per image. Raises TrainingError."""
        name, classes = self.workload.model, self.workload.classes
        if not isinstance(logits, Tensor):
            raise TrainingError(f"{name} returns {type(logits).__name__}, not a tensor of logits")
        if logits.dim() != 2 or len(logits) != len(labels) or logits.shape[1] < classes:
            shape = " x ".join(map(str, logits.shape)) or "scalar"
            raise TrainingError(
                f"{name} returns a {shape} tensor where {len(labels)} x {classes} was expected: one row of "
                f"logits for each image, with an output for each of the {classes} classes (workload.classes)"
            )
        return logits

    def samples(self, batch: ImageBatch) -> int:
        """Implement `Training`."""
        return len(batch[1])

    def new_tally(self, device: torch.device) -> HitTally:
        """Implement `Training`."""
        return HitTally(device)

    def example(self, size: int, device: torch.device) -> ImageBatch:
        """Implement `Training`."""
        pixels = self.workload.image_size
        images = torch.zeros(size, 3, pixels, pixels, device=device)
        return images, torch.zeros(size, dtype=torch.int64, device=device)


class HitTally:
    """Loss and share of hits over many batches, summed on the device.

    A measured step pays for one kernel: what it predicted is compared with the labels many steps later.
    """

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        """Loss and hits of the batches that are summed."""
        self._images = 0
        self._batches: list[tuple[Tensor, Tensor, Tensor]] = []
        """Loss, predictions and labels of those that are not; all of one size."""

    def add(self, loss: Tensor, outputs: Any, batch: ImageBatch) -> None:
        """Add a batch: its mean loss and its logits."""
        labels = batch[1]
        if self._batches and (len(self._batches) == MOST_BATCHES or len(self._batches[0][2]) != len(labels)):
            self._sum_up()
        self._batches.append((loss.detach(), outputs.argmax(dim=1), labels))
        self._images += len(labels)

    def read(self, group: Group) -> tuple[float, float]:
        """Implement `Tally`; the score is the accuracy."""
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
