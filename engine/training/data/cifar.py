"""CIFAR-10: downloaded once, by the first process that needs it. torchvision says from where."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import pickle
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...text.files import make_private_folder, read_whole
from ..errors import NoDataError
from ..vision import torchvision

TIMEOUT = 20.0
"""Seconds without any data after which a download fails."""
READ_BYTES = 1 << 20
"""Bytes of a download that are read at a time."""


def cifar10(folder: Path, note: Callable[[str], None]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return images, uint8 (images, 3, 32, 32), and labels of the training set and of the test set.

    They are read from `folder`, where `cifar-10-python.tar.gz` is downloaded and unpacked if need be. Raises
    NoDataError, which says where to put that file, when it is damaged or cannot be downloaded.
    """
    source = torchvision().datasets.CIFAR10
    with only_one(folder, note):
        try:
            return _read(source, folder)
        except RuntimeError:
            archive = folder / source.filename
            if not archive.is_file():
                download(source.url, archive, note)
            note("checking and unpacking CIFAR-10")
            unpack(archive, source.tgz_md5, folder)
            return _read(source, folder)


@contextlib.contextmanager
def only_one(folder: Path, note: Callable[[str], None]) -> Iterator[None]:
    """Admit one process of this machine at a time; report that the others wait."""
    try:
        make_private_folder(folder)
        lock = os.fdopen(
            os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        )
    except OSError as error:
        # Nobody prepares the data in a shared folder that only its owner may write to.
        if folder.is_dir():
            yield
            return
        raise NoDataError(f"the folder {folder} for CIFAR-10 cannot be created: {error.strerror}") from error
    with lock:
        noted = time.monotonic()
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
            if time.monotonic() - noted > 1:
                note("waiting for another process to prepare CIFAR-10")
                noted = time.monotonic()
        yield


def download(url: str, archive: Path, note: Callable[[str], None]) -> None:
    """Download a file completely or not at all; NoDataError when the network fails."""
    partial = archive.with_suffix(".partial")
    try:
        partial.unlink(missing_ok=True)  # of a download that was cut off, or a link to another file
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, partial.open("xb") as file:
            size = int(answer.headers.get("Content-Length") or 0)
            done = 0
            noted = 0.0
            while piece := answer.read(READ_BYTES):
                file.write(piece)
                done += len(piece)
                if time.monotonic() - noted > 0.5:
                    note(
                        f"downloading CIFAR-10, {done / size:.0%}"
                        if size
                        else f"downloading CIFAR-10, {done:,} bytes"
                    )
                    noted = time.monotonic()
        if size and done != size:
            raise OSError(f"the connection ended after {done:,} of {size:,} bytes")
        partial.rename(archive)
    except (OSError, http.client.HTTPException) as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = getattr(error, "reason", None) or error
        raise NoDataError(
            f"CIFAR-10 could not be downloaded ({reason}): "
            f"put {archive.name} from {url} into {archive.parent}"
        ) from error


def unpack(archive: Path, md5: str, folder: Path) -> None:
    """Unpack an archive that has the right checksum; NoDataError when it has not."""
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        raise NoDataError(
            f"{archive} is damaged (its MD5 is {found}, not {md5}): delete it or put a good one there"
        )
    with tarfile.open(archive) as packed:
        # Python before 3.11.4 has no filters.
        packed.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        packed.extractall(folder)


def _read(source: Any, folder: Path) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Read torchvision's files of both sets; RuntimeError where one is missing or has a wrong checksum."""
    train, test = (
        [_open_batch(folder / source.base_folder / name, md5) for name, md5 in files]
        for files in (source.train_list, source.test_list)
    )
    return _joined(train), _joined(test)


def _open_batch(path: Path, md5: str) -> dict[str, Any]:
    # The very bytes that were checked: others may write where a data set is shared, and pickles are code.
    try:
        content = read_whole(path)
    except OSError as error:
        raise RuntimeError(f"{path} cannot be read") from error
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise RuntimeError(f"{path} has a wrong checksum")
    batch: dict[str, Any] = pickle.loads(content, encoding="latin1")
    return batch


def _joined(batches: list[dict[str, Any]]) -> tuple[Tensor, Tensor]:
    images = torch.cat([torch.from_numpy(batch["data"]) for batch in batches]).view(-1, 3, 32, 32)
    return images, torch.tensor([label for batch in batches for label in batch["labels"]])
