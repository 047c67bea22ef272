"""Batches of sequences of tokens: from a row that is resident on the device, or through a DataLoader."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...plan.workload.language_models import vocabulary_of
from ...plan.workload.token_files import sequences_in
from ...plan.workload.workload import Workload
from ..device.devices import RankDevices
from ..errors import DataTooLargeError, kind_of
from .loader import BatchSampler, make_loader
from .tokens import Tokens, check_known, widened


class ResidentSequences:
    """All tokens on the device as they are stored, from which sequences are cut."""

    def __init__(
        self, sets: tuple[Tokens, Tokens], sampler: BatchSampler, workload: Workload, devices: RankDevices
    ) -> None:
        self.steps_per_epoch = sampler.steps_per_epoch
        self._sampler = sampler
        self._devices = devices
        self._length = workload.sequence_length
        self._offsets = torch.arange(self._length + 1, device=devices.first)
        self._train, self._test = (self._loaded(part, workload, devices.first) for part in sets)

    def _loaded(self, tokens: Tokens, workload: Workload, device: torch.device) -> Tensor:
        try:
            stored = tokens.read(0, len(tokens))
            check_known(stored, vocabulary_of(workload), workload.data_dir or "the text")
            return stored.to(device)
        except (RuntimeError, MemoryError) as error:
            if kind_of(error) != "out of memory":
                raise
            raise DataTooLargeError(
                f"the data set of {len(tokens):,} tokens does not fit into the memory of {device}: set "
                'workload.placement = "loader"'
            ) from error

    def train(self, first: int, end: int | None) -> Iterator[Tensor]:
        """Implement `Batches`."""
        for number in count(first) if end is None else range(first, end):
            order = self._devices.upload(self._sampler.epoch(number))
            for chosen in order.view(-1, self._sampler.batch):
                yield self._cut(self._train, chosen)

    fetch = train

    def place(self, batch: Tensor) -> Tensor:
        """Return the batch, which was cut on the device."""
        return batch

    def test(self) -> Iterator[Tensor]:
        """Implement `Batches`."""
        mine = self._sampler.shard.of_test(sequences_in(len(self._test), self._length))
        for chosen in torch.split(mine, self._sampler.batch):
            yield self._cut(self._test, chosen.to(self._offsets.device))

    def _cut(self, stored: Tensor, chosen: Tensor) -> Tensor:
        return widened(stored[chosen[:, None] * self._length + self._offsets])


class Sequences(Dataset[Tensor]):
    """Data set of the loader workers: reads one sequence at a time."""

    def __init__(self, tokens: Tokens, workload: Workload) -> None:
        self._tokens = tokens
        self._length = workload.sequence_length
        self._vocabulary = vocabulary_of(workload)
        self._place = workload.data_dir or "the text"

    def __len__(self) -> int:
        return sequences_in(len(self._tokens), self._length)

    def __getitem__(self, index: int) -> Tensor:
        stored = self._tokens.read(index * self._length, self._length + 1)
        check_known(stored, self._vocabulary, self._place)
        return widened(stored)


class LoaderSequences:
    """Batches read sequence by sequence in worker processes, then copied to the device."""

    def __init__(
        self,
        sets: tuple[Tokens, Tokens],
        sampler: BatchSampler,
        workload: Workload,
        devices: RankDevices,
        workers: int,
    ) -> None:
        self.steps_per_epoch = sampler.steps_per_epoch
        self._sampler = sampler
        self._devices = devices
        self._workload = workload
        self._workers = workers
        train, self._test = (Sequences(part, workload) for part in sets)
        self._loader = self._loader_of(train, sampler)

    def _loader_of(self, sequences: Sequences, batches: BatchSampler | list[list[int]]) -> DataLoader[Tensor]:
        return make_loader(
            sequences, batches, self._workload, self._devices, self._workers, self._sampler.seed
        )

    def train(self, first: int, end: int | None) -> Iterator[Tensor]:
        """Implement `Batches`."""
        return map(self.place, self.fetch(first, end))

    def fetch(self, first: int, end: int | None) -> Iterator[Tensor]:
        """Implement `Batches`."""
        self._sampler.epochs = (first, end)
        yield from self._loader

    def place(self, batch: Tensor) -> Tensor:
        """Implement `Batches`."""
        return batch.to(self._devices.first, non_blocking=True)

    def test(self) -> Iterator[Tensor]:
        """Implement `Batches`."""
        mine = self._sampler.shard.of_test(len(self._test))
        batches = [chosen.tolist() for chosen in torch.split(mine, self._sampler.batch)]
        yield from map(self.place, self._loader_of(self._test, batches))


def make_sequences(
    sets: tuple[Tokens, Tokens],
    sampler: BatchSampler,
    workload: Workload,
    devices: RankDevices,
    workers: int,
) -> ResidentSequences | LoaderSequences:
    """Return one rank's batches in the workload's placement; `workers` is its share of the loader workers."""
    if workload.placement == "device":
        return ResidentSequences(sets, sampler, workload, devices)
    return LoaderSequences(sets, sampler, workload, devices, workers)
