"""Data sets: synthetic images, CIFAR-10 or a folder of images, each with a training set and a test set."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from PIL import Image, ImageOps
from torch import Tensor

from ...host.cpu import allowed_cpus
from ...plan.workload.data_error import DataError
from ...plan.workload.image_files import (
    MOST_UNREADABLE,
    Unreadable,
    UnreadableError,
    decode,
    describe_unreadable,
    open_folder,
)
from ...plan.workload.workload import Workload
from ...record.events import UnreadImages
from ...text.files import user_path
from ..errors import NoDataError, TrainingError
from ..parallel.group import Group
from .cifar import cifar10

Note = Callable[[str], None]
"""Function that shows the user a line of progress, such as `decoding images, 40%`."""


class Images(Protocol):
    """Labelled square RGB images; must be picklable, since loader workers receive a copy."""

    @property
    def labels(self) -> Tensor:
        """Class of each image, int64."""

    def __len__(self) -> int: ...

    def image(self, index: int) -> Image.Image:
        """Return one image, decoded now if need be."""

    def tensor(self, note: Note) -> Tensor:
        """Return all images, uint8 (images, 3, size, size)."""


class Normalisation(NamedTuple):
    """Mean and standard deviation of each channel, for values in 0..1."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


NORMALISATION = {
    "synthetic": Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
    "cifar10": Normalisation((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "folder": Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""By data set; a folder of images takes ImageNet's."""


@dataclass(frozen=True)
class MemoryImages:
    """Images in memory, uint8 (images, 3, size, size)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int) -> Image.Image:
        """Return a copy as a PIL image."""
        pixels = self.images[index].permute(1, 2, 0)
        copy = bytearray(pixels.numel())
        torch.frombuffer(copy, dtype=torch.uint8).view(pixels.shape).copy_(pixels)
        return Image.frombytes("RGB", (pixels.shape[1], pixels.shape[0]), bytes(copy))

    def tensor(self, note: Note) -> Tensor:  # noqa: ARG002
        """Return the images."""
        return self.images


@dataclass(frozen=True)
class FileImages:
    """Images in files, decoded when needed; those not of `size` are cropped to a square and resized.

    An image that cannot be read is replaced by the next of its class, so that all ranks keep to one list.
    """

    paths: tuple[str, ...]
    labels: Tensor
    size: int
    folder: str
    skipped: tuple[Unreadable, ...]
    """Files that are left out."""
    replaced: Tensor
    """1 for each image that could not be read, else 0; shared with the loader workers."""

    def __len__(self) -> int:
        return len(self.paths)

    def image(self, index: int) -> Image.Image:
        """Return one decoded image; NoDataError where more than 1% of its class cannot be read."""
        image = self._decoded(index)
        if image.size != (self.size, self.size):
            image = ImageOps.fit(image, (self.size, self.size), Image.Resampling.BILINEAR)
        return image

    def _decoded(self, index: int) -> Image.Image:
        label = int(self.labels[index])
        first = int(torch.searchsorted(self.labels, label))
        count = int(torch.searchsorted(self.labels, label, right=True)) - first
        while True:
            try:
                return decode(self.paths[index])
            except UnreadableError as error:
                if not self.replaced[index]:
                    self.replaced[index] = 1
                    print(
                        f"the image {self.paths[index]} {error}: another of its class takes its place",
                        flush=True,
                    )
                failed = int(self.replaced[first : first + count].sum())
                if failed > MOST_UNREADABLE * count:
                    raise NoDataError(
                        f"{failed} of {count} images of a class cannot be read, more than "
                        f"{MOST_UNREADABLE:.0%}: {self.paths[index]} {error}"
                    ) from error
            index = first + (index + 1 - first) % count

    def first_replaced(self) -> str:
        """Return the path of the first image that was replaced, and why it cannot be read."""
        path = self.paths[int(self.replaced.argmax())]
        try:
            decode(path)
        except UnreadableError as error:
            return f"{path} {error}"
        return f"{path} could not be read"

    def tensor(self, note: Note) -> Tensor:
        """Return all images, decoded by a thread for each CPU."""
        images = torch.empty(len(self), 3, self.size, self.size, dtype=torch.uint8)

        def decode(index: int) -> None:
            images[index] = pixels_of(self.image(index))

        with ThreadPoolExecutor(len(allowed_cpus())) as threads:
            for done, _ in enumerate(threads.map(decode, range(len(self)))):
                if done % 1000 == 0:
                    note(f"decoding images, {done / len(self):.0%}")
        return images


def pixels_of(image: Image.Image) -> Tensor:
    """Return an RGB image as uint8 (3, height, width)."""
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return pixels.view(image.height, image.width, 3).permute(2, 0, 1)


def open_data(workload: Workload, cache: Path, note: Note) -> tuple[Images, Images]:
    """Return the workload's training set and test set.

    Raises NoDataError where they are missing, and TrainingError where they do not fit the workload.
    """
    if workload.data == "synthetic":
        return synthetic(workload)
    if workload.data == "folder":
        if workload.data_dir is None:
            raise TrainingError('data = "folder" needs data_dir, the folder that holds train/ and test/')
        return image_folder(user_path(workload.data_dir), workload, note)
    if workload.classes != 10 or workload.image_size != 32:
        raise TrainingError(
            "CIFAR-10 has 10 classes of 32x32 images, and the preset says "
            f"classes = {workload.classes}, image_size = {workload.image_size}"
        )
    folder = user_path(workload.data_dir) if workload.data_dir else cache
    train, test = cifar10(folder, note)
    return MemoryImages(*train), MemoryImages(*test)


def synthetic(workload: Workload) -> tuple[Images, Images]:
    """Return images that can be learnt: a smooth pattern for each class under noise, fixed by the seed."""
    generator = torch.Generator().manual_seed(workload.seed)
    size, classes = workload.image_size, workload.classes
    coarse = torch.rand(classes, 3, 4, 4, generator=generator)
    patterns = F.interpolate(coarse, size=(size, size), mode="bilinear").mul_(60).add_(50).to(torch.uint8)

    def make(count: int) -> MemoryImages:
        labels = torch.randint(classes, (count,), generator=generator)
        images = torch.empty(count, 3, size, size, dtype=torch.uint8)
        images.random_(0, 128, generator=generator)
        for start in range(0, count, 1024):
            images[start : start + 1024] += patterns[labels[start : start + 1024]]
        return MemoryImages(images, labels)

    return make(workload.images), make(max(1, workload.images // 5))


def image_folder(folder: Path, workload: Workload, note: Note) -> tuple[Images, Images]:
    """Open a folder with train/CLASS/ and test/CLASS/; note the files in it that cannot be read."""
    try:
        parts = open_folder(folder, workload.classes)
    except DataError as error:
        kind = NoDataError if error.key == "data_dir" else TrainingError
        raise kind(f"{error.key}: {error.problem}") from None
    for name, files in zip(("train", "test"), parts, strict=True):
        if files.unreadable:
            warning = describe_unreadable(folder / name, files)
            print(f"warning: {warning}")
            note(warning)
    train, test = (
        FileImages(
            part.paths,
            torch.tensor(part.labels),
            workload.image_size,
            str(folder / name),
            part.unreadable,
            torch.zeros(len(part.paths), dtype=torch.uint8).share_memory_(),  # type: ignore[no-untyped-call]
        )
        for name, part in zip(("train", "test"), parts, strict=True)
    )
    return train, test


def skipped_images(sets: tuple[Images, Images]) -> list[UnreadImages]:
    """Return the images that are left out of a folder's `train` and `test`."""
    parts = [part for part in sets if isinstance(part, FileImages) and part.skipped]
    return [
        UnreadImages(part.folder, len(part.skipped), f"{part.skipped[0].path} {part.skipped[0].reason}")
        for part in parts
    ]


def replaced_images(sets: tuple[Images, Images]) -> list[UnreadImages]:
    """Return the images of `train` and `test` that this rank has had to replace so far."""
    parts = [part for part in sets if isinstance(part, FileImages) and part.replaced.any()]
    return [UnreadImages(part.folder, int(part.replaced.sum()), part.first_replaced()) for part in parts]


def check_same_files(sets: tuple[Images, Images], group: Group) -> None:
    """Raise TrainingError on all ranks of a training unless they read the same files in the same order."""
    paths = [part.paths for part in sets if isinstance(part, FileImages)]
    if not group.alike(paths):
        raise TrainingError(
            "the ranks found different images in data_dir: it changed while they opened it; run again"
        )
