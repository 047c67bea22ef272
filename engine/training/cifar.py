"""CIFAR-10: fetched once, by whichever process comes first, and read by torchvision."""

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

from .errors import NoDataError
from .vision import torchvision

TIMEOUT = 20.0
"""Seconds without a byte after which the network counts as absent."""
PIECE = 1 << 20


def cifar10(folder: Path, note: Callable[[str], None]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Images, uint8 (images, 3, 32, 32), and labels of the training and the test set.

    Reads them from `folder`, unpacks `cifar-10-python.tar.gz` there, or downloads it first. NoDataError says
    where to put that file when it is damaged or cannot be had.
    """
    source = torchvision().datasets.CIFAR10
    with only_one(folder, note):
        try:
            return _read(source, folder)
        except RuntimeError:  # torchvision's word for "not there, or not with the right checksums"
            archive = folder / source.filename
            if not archive.is_file():
                download(source.url, archive, note)
            note("checking and unpacking CIFAR-10")
            unpack(archive, source.tgz_md5, folder)
            return _read(source, folder)


@contextlib.contextmanager
def only_one(folder: Path, note: Callable[[str], None]) -> Iterator[None]:
    """One process of this machine at a time; the others wait, saying so."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        # A shared folder that only its owner may write to has nobody to wait for.
        if folder.is_dir():
            yield
            return
        raise NoDataError(f"the folder {folder} for CIFAR-10 cannot be made: {error.strerror}") from error
    with lock:
        spoken = time.monotonic()
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
            if time.monotonic() - spoken > 1:
                note("waiting for another process that prepares CIFAR-10")
                spoken = time.monotonic()
        yield


def download(url: str, archive: Path, note: Callable[[str], None]) -> None:
    """Fetch a file whole or not at all; NoDataError when the network fails."""
    partial = archive.with_suffix(".partial")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, partial.open("wb") as file:
            size = int(answer.headers.get("Content-Length") or 0)
            done = 0
            spoken = 0.0
            while piece := answer.read(PIECE):
                file.write(piece)
                done += len(piece)
                if time.monotonic() - spoken > 0.5:
                    note(
                        f"downloading CIFAR-10, {done / size:.0%}"
                        if size
                        else f"downloading CIFAR-10, {done:,} bytes"
                    )
                    spoken = time.monotonic()
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
    """Unpack an archive that is what it should be; NoDataError when it is not."""
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
