"""CIFAR-10: downloaded once, by the first process that needs it, and read by torchvision."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

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
        except RuntimeError:  # raised by torchvision for files that are missing or have wrong checksums
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
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
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
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, partial.open("wb") as file:
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
    sets = [source(str(folder), train=train, download=False) for train in (True, False)]
    train, test = (
        (torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(part.targets))
        for part in sets
    )
    return train, test
