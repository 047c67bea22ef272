"""The ranks of a run together: they find each other through a file, and speak over loopback only."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed import FileStore  # type: ignore[attr-defined]

LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
NOTE_INTERVAL = 1.0
"""Seconds between two words of a rank that waits for others."""
WORDS, WORD = "words", "word"
"""Keys of the store: how many ranks have left word, and the text of the first."""


class Group:
    """Ranks that agree by small messages between the CPUs; of one rank alone, nothing is sent at all."""

    def __init__(self, rank: int = 0, world_size: int = 1, store: FileStore | None = None) -> None:
        self.rank = rank
        self.world_size = world_size
        self._store = store
        self._process_group = dist.group.WORLD if store is not None else None

    @classmethod
    def join(cls, folder: Path, rank: int, world_size: int, backend: str, patience: float) -> Group:
        """Meet the other ranks in a fresh private folder; `patience`: seconds that a message may take."""
        os.environ["GLOO_SOCKET_IFNAME"] = LOOPBACK
        store = FileStore(str(folder / "ranks"), world_size)
        timeout = timedelta(seconds=patience)
        dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=timeout)
        return cls(rank, world_size, store)

    def gather(self, values: list[float], meanwhile: Callable[[], object] | None = None) -> list[list[float]]:
        """Every rank's values, by rank. Until all have come, `meanwhile` is done over and over."""
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

    def meet(
        self, place: str, waiting: Callable[[], None], meanwhile: Callable[[], object] | None = None
    ) -> None:
        """Wait until every rank has come to the same place, however long.

        `waiting` is called now and then; `meanwhile` is done over and over instead of doing nothing.
        """
        if self._store is None:
            return
        here = self._store.add(place, 1)
        spoken = time.monotonic()
        while here < self.world_size:
            meanwhile() if meanwhile is not None else time.sleep(0.01)
            if time.monotonic() - spoken > NOTE_INTERVAL:
                waiting()
                spoken = time.monotonic()
            here = self._store.add(place, 0)

    def leave_word(self, text: str) -> str:
        """Leave a text for all ranks to find; return the one that was left first, by whichever rank."""
        assert self._store is not None
        if self._store.add(WORDS, 1) == 1:
            self._store.set(WORD, text)
        return bytes(self._store.get(WORD)).decode()

    def word(self) -> str | None:
        """Return the text that a rank has left, without waiting for one."""
        if self._store is None or not self._store.add(WORDS, 0):
            return None
        return bytes(self._store.get(WORD)).decode()

    def share(self, tensors: list[torch.Tensor]) -> None:
        """Overwrite tensors with rank 0's."""
        if self.world_size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def agree(self, tensors: list[torch.Tensor]) -> bool:
        """Whether all ranks hold the same values, bit for bit."""
        same = True
        for tensor in tensors:
            first = tensor.detach().clone(memory_format=torch.contiguous_format)
            self.share([first])
            same = same and torch.equal(_bits(first), _bits(tensor))
        return all(theirs == [1.0] for theirs in self.gather([float(same)]))


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """What a tensor holds, as bytes: no number is unequal to itself, as NaN is."""
    return tensor.detach().reshape(-1).view(torch.uint8)
