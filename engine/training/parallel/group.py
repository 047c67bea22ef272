"""The ranks of a run as a group: they find each other through a file, and communicate over loopback only."""

from __future__ import annotations

import os
import sys
import time
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed import FileStore  # type: ignore[attr-defined]

from ..errors import TrainingError
from .dense import as_bytes, dense, stored_values

LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
NOTE_INTERVAL = 1.0
"""Seconds between two signs of life of a rank that waits or works for long."""
NOTICES, NOTICE = "notices", "notice"
"""Keys of the store: the number of notices published, and the text of the first."""


class Group:
    """Ranks that exchange small messages between their CPUs; a group of one sends none."""

    def __init__(self, rank: int = 0, world_size: int = 1, store: FileStore | None = None) -> None:
        self.rank = rank
        self.world_size = world_size
        self._store = store

    @classmethod
    def join(cls, folder: Path, rank: int, world_size: int, backend: str, patience: float) -> Group:
        """Meet the other ranks in a fresh private folder; a message may take `patience` seconds."""
        os.environ["GLOO_SOCKET_IFNAME"] = LOOPBACK
        # As bytes, which torch takes too: the path may not be UTF-8.
        store = FileStore(os.fsencode(folder / "ranks"), world_size)  # type: ignore[arg-type]
        timeout = timedelta(seconds=patience)
        dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=timeout)
        return cls(rank, world_size, store)

    def gather(self, values: list[float], meanwhile: Callable[[], object] | None = None) -> list[list[float]]:
        """Return every rank's values, by rank; call `meanwhile` repeatedly until all have arrived."""
        if self.world_size == 1:
            return [values]
        mine = torch.tensor(values, dtype=torch.float64)
        everyone = [torch.empty_like(mine) for _ in range(self.world_size)]
        work = dist.all_gather(everyone, mine, async_op=True)
        assert work is not None
        while meanwhile is not None and not work.is_completed():
            meanwhile()
        work.wait()
        return [theirs.tolist() for theirs in everyone]

    def alike(self, value: object) -> bool:
        """Return whether all ranks hold a value of the same representation, such as a list of file names."""
        digests = self.gather([float(zlib.crc32(repr(value).encode()))])
        return all(theirs == digests[0] for theirs in digests)

    def meet(
        self, place: str, waiting: Callable[[], None], meanwhile: Callable[[], object] | None = None
    ) -> None:
        """Wait until every rank has come to the same place, however long that takes.

        `waiting` is called about every second, and `meanwhile` repeatedly, in the place of sleeping.
        """
        if self._store is None:
            return
        here = self._store.add(place, 1)
        noted = time.monotonic()
        while here < self.world_size:
            meanwhile() if meanwhile is not None else time.sleep(0.01)
            if time.monotonic() - noted > NOTE_INTERVAL:
                waiting()
                noted = time.monotonic()
            here = self._store.add(place, 0)

    def publish(self, text: str) -> str:
        """Publish a notice to all ranks; return the one that was published first, by whichever rank."""
        assert self._store is not None
        if self._store.add(NOTICES, 1) == 1:
            self._store.set(NOTICE, text)
        return bytes(self._store.get(NOTICE)).decode()

    def notice(self) -> str | None:
        """Return the notice that a rank has published; None where there is none."""
        if self._store is None or not self._store.add(NOTICES, 0):
            return None
        return bytes(self._store.get(NOTICE)).decode()

    def share(self, tensors: list[torch.Tensor]) -> None:
        """Overwrite tensors of any layout with rank 0's; TrainingError where they differ in shape."""
        parts = [part for tensor in tensors for part in stored_values(tensor)]
        self._check_shapes(parts)
        for part in parts:
            self._broadcast(part)

    def agree(self, tensors: list[torch.Tensor]) -> bool:
        """Return whether all ranks hold the same values, bit for bit; TrainingError where shapes differ."""
        parts = [part for tensor in tensors for part in stored_values(tensor)]
        self._check_shapes(parts)
        same = True
        for part in parts:
            own = dense(part)
            first = own.clone()
            self._broadcast(first)
            same = same and torch.equal(as_bytes(first), as_bytes(own))
        return all(theirs == [1.0] for theirs in self.gather([float(same)]))

    def _broadcast(self, tensor: torch.Tensor) -> None:
        """Overwrite a strided tensor with rank 0's, as dense bytes: backends do not know all types."""
        if self.world_size == 1 or tensor.numel() == 0:
            return
        sent = dense(tensor)
        dist.broadcast(as_bytes(sent), src=0)
        if sent is not tensor:
            tensor.copy_(sent)

    def _check_shapes(self, tensors: list[torch.Tensor]) -> None:
        """Raise TrainingError on all ranks unless they hold tensors of the same shapes and types.

        A collective of different sizes would write beyond the smaller ones, or wait for ever.
        """
        if not self.alike([(*tensor.shape, tensor.dtype) for tensor in tensors]):
            raise TrainingError(
                "the ranks hold tensors of different shapes or types: a model must be built alike on every "
                "rank"
            )
