"""Batches that a training's own file makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set, Sized
from itertools import count
from typing import Any

import torch
from torch import Tensor

from ...text.plain import cut_in_middle, described
from ..nested import REACHED, changed, out_of_reach, tensors_in
from .own_file import OwnFile
from .training import Batch, Share


class OwnBatches:
    """One rank's batches, as `batches` and `test_batches` of the file return them."""

    def __init__(self, file: OwnFile, share: Share, *, channels_last: bool) -> None:
        self.shapes: Batch = None
        """The first batch on the meta device; None before it is made, and where it cannot be there."""
        self._seen = False
        """Whether the first batch has been made."""
        self._file = file
        self._share = share
        self._device = share.devices.first
        self._channels_last = channels_last
        self._source: Iterable[Batch] | None = self._made("batches")
        made, each = self._length_of(self._source), share.shard.accumulate
        if 0 < made < each:
            raise file.error("batches", f"has a length of {made}, and a step accumulates {each} batches")
        self.steps_per_epoch = made // each
        self._per_epoch = self.steps_per_epoch * each
        """Batches of an epoch; 0 where they have no end."""

    def train(self, first: int, end: int | None) -> Iterator[Batch]:
        """Implement `Batches`."""
        return map(self.place, self.fetch(first, end))

    def fetch(self, first: int, end: int | None) -> Iterator[Batch]:
        """Implement `Batches`."""
        for epoch in count(first) if end is None else range(first, end):
            made = 0
            for batch in self._one_by_one("batches", self._of_epoch(epoch)):
                if not self._seen:
                    self._look_at(batch)
                yield batch
                made += 1
                if end is not None and made == self._per_epoch:
                    break
            if not made:
                raise self._file.error("batches", "returned no batch: it must yield one at least")
            if end is not None and made < self._per_epoch:
                raise self._file.error(
                    "batches", f"must yield {self._per_epoch} batches by its length, and ended after {made}"
                )

    def place(self, batch: Batch) -> Batch:
        """Implement `Batches`."""
        with self._file.calling("batches"):
            return changed(batch, self._placed)

    def test(self) -> Iterator[Batch]:
        """Implement `Batches`."""
        if self._file.has("test_batches"):
            yield from map(self.place, self._one_by_one("test_batches", self._made("test_batches")))

    def _one_by_one(self, name: str, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield batches; an error of theirs is one of the function that has made them."""
        with self._file.calling(name):
            source = iter(batches)
        while True:
            with self._file.calling(name):
                try:
                    batch = next(source)
                except StopIteration:
                    return
            yield batch

    def example(self, device: torch.device) -> Batch:
        """Return a batch of zeros like the first one."""
        return changed(self.shapes, lambda like: torch.zeros(like.shape, dtype=like.dtype, device=device))

    def _placed(self, tensor: Tensor) -> Tensor:
        tensor = tensor.to(self._device, non_blocking=True)
        if self._channels_last and tensor.dim() == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor

    def _of_epoch(self, epoch: int) -> Iterable[Batch]:
        """Return the batches of an epoch; those of an iterator, which ends, are made anew."""
        source = self._source
        if source is None:
            return self._made("batches")
        if isinstance(source, Iterator):
            self._source = None
            return source
        sampler = getattr(source, "sampler", None)
        if callable(set_epoch := getattr(sampler, "set_epoch", None)):  # as a DistributedSampler needs it
            set_epoch(epoch)
        return source

    def _made(self, name: str) -> Iterable[Batch]:
        share = self._share
        with self._file.calling(name):
            made: Any = self._file.function(name)(
                share.shard.index, share.shard.count, share.batch, self._device
            )
        if not isinstance(made, Iterable) or isinstance(made, Tensor | str | bytes | Mapping | Set):
            raise self._file.error(
                name,
                f"returned {type(made).__name__}: it must yield batches, or return a list or a DataLoader",
            )
        batches: Iterable[Batch] = made
        return batches

    def _length_of(self, batches: Iterable[Batch] | None) -> int:
        """Return how many there are; 0 where they have no length, like a DataLoader of an IterableDataset."""
        if not isinstance(batches, Sized):
            return 0
        with self._file.calling("batches"):
            try:
                return len(batches)
            except TypeError:
                return 0

    def _look_at(self, batch: Batch) -> None:
        with self._file.calling("batches"):
            found, left = list(tensors_in(batch)), out_of_reach(batch)
        if not found:
            problem = f"made a batch of no tensors: {type(batch).__name__}; they are looked for in {REACHED}"
            raise self._file.error("batches", problem)
        if left is not None:
            problem = (
                f"made a batch with a tensor at {cut_in_middle(left.place)}, in an object of type "
                f"{left.holder.__name__}, which is not moved to the device: tensors are looked for in "
                f"{REACHED}"
            )
            raise self._file.error("batches", problem)
        if any(tensor.is_meta for tensor in found):
            raise self._file.error("batches", "made a batch on the meta device, which has no values")
        self._seen = True
        try:
            self.shapes = changed(batch, lambda tensor: tensor.to("meta"))
        except Exception as error:  # not every layout has shapes without values
            print(f"a batch has no form without values: {described(error)}")
