"""Folders of images: the files that a training reads, and those that cannot be read."""

from __future__ import annotations

import os
import random
import sys
from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...text.files import is_folder, open_regular
from .data_error import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
MOST_UNREADABLE = 0.01
"""Largest share of a class's files that may be unreadable."""
SAMPLE_FILES, SAMPLE_BYTES = 1000, 16 * 2**20
"""Files, and bytes of them, that are decoded as a sample of `train` or `test`, in equal parts by class."""
CLASS_SAMPLE = 500
"""Files that are decoded of a class whose sample holds an unreadable one."""
BITS_PER_SAMPLE, SAMPLE_FORMAT, UNSIGNED = 258, 339, 1
"""Two fields of TIFF files, and the value of the second that means unsigned integers."""


class UnreadableError(Exception):
    """An image that cannot be read; its text is the reason, as a phrase."""


class Unreadable(NamedTuple):
    """A file that is named like an image and cannot be read."""

    path: str
    reason: str


class ImageFiles(NamedTuple):
    """The image files of `train` or `test`."""

    paths: tuple[str, ...]
    """Paths as text: a folder may hold millions."""
    labels: tuple[int, ...]
    """Class of each path."""
    unreadable: tuple[Unreadable, ...]
    """Files that are left out."""


def open_folder(folder: Path, classes: int) -> tuple[ImageFiles, ImageFiles]:
    """Return the images in `train/CLASS/` and `test/CLASS/`; classes are numbered in their names' order.

    The name and type of every file are checked, and a sample is decoded, the same for the same files. Raises
    DataError where classes are missing or empty, or more than 1% of a class cannot be read.
    """
    for part in ("train", "test"):
        if not is_folder(folder / part):
            problem = f"no folder {folder / part}; expected train/CLASS/ and test/CLASS/ with the images"
            raise DataError("data_dir", problem)
    names = class_names(folder / "train")
    if len(names) != classes:
        problem = f"{classes}, but {folder / 'train'} has {len(names)} class folders"
        raise DataError("classes", problem)
    if unknown := sorted({*class_names(folder / "test")} - {*names}):
        problem = f"{folder / 'test' / unknown[0]} is a class that {folder / 'train'} does not have"
        raise DataError("data_dir", problem)
    train, test = (_files_of(folder / part, names) for part in ("train", "test"))
    return train, test


def class_names(folder: Path) -> list[str]:
    """Return the names of the class folders in `train` or `test`, sorted; hidden folders are none."""
    return sorted(entry.name for entry in _entries(folder) if _leads_to(entry.is_dir))


def describe_unreadable(folder: Path, files: ImageFiles) -> str:
    """Return how many files of a folder are left out, and the first of them."""
    count, first = len(files.unreadable), files.unreadable[0]
    images = "image is" if count == 1 else "images are"
    return f"{count} unreadable {images} skipped in {folder}: {first.path} {first.reason}" + (
        "" if count == 1 else ", and others"
    )


def decode(path: str) -> Image:
    """Return an image in RGB, 8 bits per channel; grey images of more bits keep their range.

    Raises UnreadableError, at once for whatever is not a regular file.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with open_regular(Path(path)) as file, Image.open(file) as opened:
            return _in_eight_bits(opened).convert("RGB")
    except MemoryError:
        raise
    except UnidentifiedImageError:
        raise UnreadableError("is not an image in a known format") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error
    except Exception as error:  # decoders of damaged files raise errors of many kinds
        raise UnreadableError(f"cannot be decoded: {error}") from error


def _in_eight_bits(image: Image) -> Image:
    """Return an image whose values are in 0..255; PIL would clip those of 16 bits and more to white."""
    if not image.mode.startswith(("I", "F")):
        return image
    wide = _without_sign(image).convert("F")
    highest = float(wide.getextrema()[1])  # type: ignore[arg-type]
    limit = next((limit for limit in _limits(image) if highest <= limit), highest)
    return wide.point(lambda value: value * (255 / limit) + 0.5).convert("L")


def _limits(image: Image) -> tuple[float, ...]:
    """Return the values that may stand for white: files of 32 bits mostly hold values of fewer."""
    if image.mode == "F":
        return (1.0, 255.0, 65_535.0)
    return (255.0, 65_535.0) if _tiff_tag(image, BITS_PER_SAMPLE) == 32 else (65_535.0,)


def _without_sign(image: Image) -> Image:
    """Return an image whose unsigned values of 32 bits PIL took for negative ones as the upper 16 bits."""
    from PIL import Image

    unsigned = image.mode == "I" and _tiff_tag(image, SAMPLE_FORMAT) in (UNSIGNED, None)
    if not unsigned or float(image.getextrema()[0]) >= 0:  # type: ignore[arg-type]
        return image
    halves = array("H", image.tobytes())
    upper = halves[1::2] if sys.byteorder == "little" else halves[::2]
    return Image.frombytes("I;16", image.size, upper.tobytes(), "raw", "I;16N")


def _tiff_tag(image: Image, number: int) -> int | None:
    """Return the first value of a field of a TIFF file; None for other files and missing fields."""
    value = getattr(image, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) else value


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise DataError("data_dir", f"{folder} cannot be read: {error.strerror}") from error


def _files_of(folder: Path, names: list[str]) -> ImageFiles:
    paths: list[str] = []
    labels: list[int] = []
    unreadable: list[Unreadable] = []
    for label, name in enumerate(names):
        found, left_out = _class_files(folder / name, len(names))
        paths += found
        labels += [label] * len(found)
        unreadable += left_out
    return ImageFiles(tuple(paths), tuple(labels), tuple(unreadable))


def _class_files(folder: Path, classes: int) -> tuple[list[str], list[Unreadable]]:
    """Return the files of a class, and those left out; DataError where too few can be read."""
    if not is_folder(folder):
        raise DataError("data_dir", f"no folder {folder}: a class needs images to train and to test")
    found = {
        entry.path: _leads_to(entry.is_file) for entry in _entries(folder) if _is_named_image(entry.name)
    }
    files = sorted(path for path, is_file in found.items() if is_file)
    others = sorted(path for path, is_file in found.items() if not is_file)
    if not found:
        raise DataError("data_dir", f"{folder} holds no images ({', '.join(sorted(SUFFIXES))})")
    damaged, checked = _damaged(files, SAMPLE_FILES // classes, SAMPLE_BYTES // classes)
    if damaged and checked < len(files):
        damaged, checked = _damaged(files, CLASS_SAMPLE, SAMPLE_BYTES)
    unreadable = [*(Unreadable(path, "is not a regular file") for path in others), *damaged]
    share = (len(others) + len(files) * len(damaged) / max(checked, 1)) / len(found)
    if share > MOST_UNREADABLE or len(files) == len(damaged):
        first = unreadable[0]
        raise DataError(
            "data_dir",
            f"{len(unreadable)} of {len(others) + checked} images looked at in {folder} cannot be read, more "
            f"than {MOST_UNREADABLE:.0%}: {first.path} {first.reason}; repair or remove them",
        )
    left_out = {path for path, _ in damaged}
    return [path for path in files if path not in left_out], unreadable


def _is_named_image(name: str) -> bool:
    return name[name.rfind(".") :].lower() in SUFFIXES


def _leads_to(kind: Callable[[], bool]) -> bool:
    """Return what `is_file` or `is_dir` says; False for links in a circle and in folders without access."""
    try:
        return kind()
    except OSError:
        return False


def _damaged(files: list[str], most: int, most_bytes: int) -> tuple[list[Unreadable], int]:
    """Decode a sample of a class, one file at least; return those that fail, and the number tried.

    The sample is drawn at random, yet the same of the same files: all ranks leave out the same ones.
    """
    sample = random.Random(0).sample(files, min(len(files), max(most, 1)))
    failed: list[Unreadable] = []
    tried = size = 0
    for path in sample:
        try:
            status = os.stat(path)  # noqa: PTH116 (not worth a Path)
            reason = _fault(path, status.st_size, status.st_mtime_ns)
            size += status.st_size
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        tried += 1
        if reason is not None:
            failed.append(Unreadable(path, reason))
        if size >= most_bytes:
            break
    return sorted(failed), tried


@lru_cache(maxsize=10_000)
def _fault(path: str, size: int, changed: int) -> str | None:  # noqa: ARG001 (they tell versions apart)
    """Return why a file cannot be decoded; None where it can. A plan is made at every key in the editor."""
    try:
        decode(path)
    except UnreadableError as error:
        return str(error)
    return None
