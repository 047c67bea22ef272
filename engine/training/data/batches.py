"""Batches of images: from a data set that is resident on its device, or through a DataLoader."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import count

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...plan.workload.workload import Augmentation, Workload
from ..device.devices import RankDevices
from ..errors import DataTooLargeError, kind_of
from ..parallel.modes import Shard
from .augment import augment_batch, augment_image
from .datasets import NORMALISATION, Images, Normalisation, Note, pixels_of
from .loader import BatchSampler, make_loader

ImageBatch = tuple[Tensor, Tensor]
"""Normalised float32 images (batch, 3, size, size) and int64 labels, both on the rank's device."""


class ResidentBatches:
    """The whole data set as uint8 on the device, where batches are drawn, augmented and normalised."""

    def __init__(
        self,
        sets: tuple[Images, Images],
        sampler: BatchSampler,
        workload: Workload,
        devices: RankDevices,
        seed: int,
        note: Note,
    ) -> None:
        device = devices.first
        self.steps_per_epoch = sampler.steps_per_epoch
        self._sampler = sampler
        self._devices = devices
        self._augment = workload.augment
        self._format = torch.channels_last if workload.channels_last else torch.contiguous_format
        self._seed = seed
        self._generator = torch.Generator(device)
        train, test = sets
        mine = sampler.shard.of_test(len(test))
        try:
            self._images = train.tensor(note).to(device)
            self._labels = train.labels.to(device)
            self._test_images = test.tensor(note)[mine].to(device)
            self._test_labels = test.labels[mine].to(device)
        except (RuntimeError, MemoryError) as error:
            if kind_of(error) != "out of memory":
                raise
            raise DataTooLargeError(
                f"the data set of {len(train)} images does not fit into the memory of {device}: set "
                'workload.placement = "loader", or use fewer workload.images'
            ) from error
        mean, deviation = (
            torch.tensor(values, device=device).view(1, 3, 1, 1) for values in NORMALISATION[workload.data]
        )
        self._scale = 1 / (255 * deviation)
        self._shift = -mean / deviation

    def train(self, first: int, end: int | None) -> Iterator[ImageBatch]:
        """Implement `Batches`."""
        for number in count(first) if end is None else range(first, end):
            self._generator.manual_seed(self._seed + number * 1_000_003)
            order = self._devices.upload(self._sampler.epoch(number))
            for chosen in order.view(-1, self._sampler.batch):
                images = augment_batch(self._images[chosen], self._augment, self._generator)
                yield self._normalised(images), self._labels[chosen]

    fetch = train

    def place(self, batch: ImageBatch) -> ImageBatch:
        """Return the batch, which was drawn on the device."""
        return batch

    def test(self) -> Iterator[ImageBatch]:
        """Implement `Batches`."""
        batch = self._sampler.batch
        for start in range(0, len(self._test_images), batch):
            images = self._test_images[start : start + batch].float()
            yield self._normalised(images), self._test_labels[start : start + batch]

    def _normalised(self, images: Tensor) -> Tensor:
        return torch.addcmul(self._shift, images, self._scale).contiguous(memory_format=self._format)


class LoaderImages(Dataset[tuple[Tensor, int]]):
    """Data set of the loader workers: decodes, augments (with PIL) and normalises one image at a time."""

    def __init__(self, images: Images, augment: Sequence[Augmentation], normalisation: Normalisation) -> None:
        self._images = images
        self._augment = tuple(augment)
        self._mean = torch.tensor(normalisation.mean).view(3, 1, 1)
        self._deviation = torch.tensor(normalisation.deviation).view(3, 1, 1)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = augment_image(self._images.image(index), self._augment)
        pixels = pixels_of(image).float().div_(255)
        return pixels.sub_(self._mean).div_(self._deviation), int(self._images.labels[index])


class LoaderBatches:
    """Batches made image by image in worker processes, then copied to the device."""

    def __init__(
        self,
        sets: tuple[Images, Images],
        sampler: BatchSampler,
        workload: Workload,
        devices: RankDevices,
        seed: int,
        workers: int,
    ) -> None:
        self.steps_per_epoch = sampler.steps_per_epoch
        self._sampler = sampler
        self._workload = workload
        self._devices = devices
        self._format = torch.channels_last if workload.channels_last else torch.contiguous_format
        self._workers = workers
        self._seed = seed
        normalisation = NORMALISATION[workload.data]
        train, test = sets
        self._test = LoaderImages(test, (), normalisation)
        self._loader = self._loader_of(LoaderImages(train, workload.augment, normalisation), sampler)
        random.seed(seed)  # for augmentation in this process, without workers

    def _loader_of(
        self, images: LoaderImages, batches: BatchSampler | list[list[int]]
    ) -> DataLoader[tuple[Tensor, int]]:
        return make_loader(images, batches, self._workload, self._devices, self._workers, self._seed)

    def train(self, first: int, end: int | None) -> Iterator[ImageBatch]:
        """Implement `Batches`."""
        return map(self.place, self.fetch(first, end))

    def fetch(self, first: int, end: int | None) -> Iterator[ImageBatch]:
        """Implement `Batches`."""
        self._sampler.epochs = (first, end)
        yield from self._loader

    def test(self) -> Iterator[ImageBatch]:
        """Implement `Batches`."""
        mine = self._sampler.shard.of_test(len(self._test)).tolist()
        batch = self._sampler.batch
        batches = [mine[start : start + batch] for start in range(0, len(mine), batch)]
        yield from map(self.place, self._loader_of(self._test, batches))

    def place(self, batch: ImageBatch) -> ImageBatch:
        """Implement `Batches`."""
        images, labels = batch
        images = images.to(self._devices.first, non_blocking=True).contiguous(memory_format=self._format)
        return images, labels.to(self._devices.first, non_blocking=True)


def make_batches(
    sets: tuple[Images, Images],
    workload: Workload,
    shard: Shard,
    batch: int,
    devices: RankDevices,
    workers: int,
    note: Note,
) -> ResidentBatches | LoaderBatches:
    """Return one rank's batches in the workload's placement; `workers` is its share of the loader workers."""
    sampler = BatchSampler(shard, len(sets[0]), batch, workload.seed)
    seed = workload.seed * 1_000_003 + shard.index
    if workload.placement == "device":
        return ResidentBatches(sets, sampler, workload, devices, seed, note)
    return LoaderBatches(sets, sampler, workload, devices, seed, workers)
