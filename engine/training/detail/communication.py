"""Communication of ddp: when each gradient bucket is reduced, and how long a step takes without it.

For use after the measured windows: a communication hook cannot be removed from its model.
"""

# No `from __future__ import annotations`: DistributedDataParallel compares a hook's annotations with types.

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.nn.parallel import DistributedDataParallel

from ...plan.pace import MOST_TURNS_SECONDS
from ...record.events import BucketTimes
from ..device.alignment import AlignedClock
from ..device.clock import Clock, Mark
from ..parallel.group import Group
from ..parallel.replication import CompressingDdp

SyncContext = Callable[[], AbstractContextManager[None]]
TURN_SECONDS = 0.05
"""Approximate duration of a turn, which consists of whole steps."""
TURNS_SECONDS = 1.5
"""Approximate duration of all turns together."""
FEWEST, MOST = 5, 20
"""Number of turns of each kind."""
LONG = 1.0
"""Duration of a step, in s, above which the extra cost of the first step of a kind is negligible."""


def ddp_of(model: nn.Module) -> DistributedDataParallel | None:
    """Return the DistributedDataParallel within a model; None in other modes."""
    return next((part for part in model.modules() if isinstance(part, DistributedDataParallel)), None)


@dataclass
class Transfer:
    """One bucket's all-reduce in one step."""

    bytes: int
    filled: Mark
    """Moment at which the bucket held the rank's own gradients, not yet divided."""
    start: Mark
    """Moment at which the bucket was ready; on a GPU in its stream, not when the hook was called."""
    end: Mark


class BackwardParts(NamedTuple):
    """Where one step's backward went, in seconds."""

    computation: float
    """Until the last bucket was ready, without dividing."""
    dividing: float
    """Within that time, dividing the buckets by the number of ranks."""
    exposed: float
    """From the last bucket being ready to the end of the last all-reduce."""
    copying: float
    """From there to the end of backward: DDP copies averaged gradients back to their parameters."""


class BucketHook:
    """All-reduces a model's gradient buckets as its DDP does without this hook, and marks both ends."""

    def __init__(self, ddp: DistributedDataParallel, clock: Clock) -> None:
        """Register the hook; `clock` must be its own, for torch calls the hook in threads of its own."""
        self.steps: list[list[Transfer]] = []
        """Buckets of each step since `begin`, in the order in which they were ready."""
        self._clock = clock
        self._dtype: torch.dtype | None = None
        """Type in which gradients are sent, if not their own."""
        if isinstance(ddp, CompressingDdp):
            self._dtype = ddp.dtype
            ddp.reduce = self._all_reduce
        else:
            ddp.register_comm_hook(None, self._all_reduce)

    def begin(self) -> None:
        """Start a new step."""
        self.steps.append([])

    def _all_reduce(self, _: None, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        # Without a hook DDP divides while it fills the bucket: this is not part of the all-reduce either.
        # torch's compressing hooks do what is done here.
        filled = self._clock.mark()
        buffer = bucket.buffer()
        sent = buffer.to(self._dtype or buffer.dtype).div_(dist.get_world_size())
        start = self._clock.mark()
        transfer = Transfer(sent.numel() * sent.element_size(), filled, start, end=start)
        self.steps[-1].append(transfer)

        def note(reduced: torch.futures.Future[torch.Tensor]) -> torch.Tensor:
            # NCCL calls this at once, in a stream that waits for the collective; gloo calls it at the end.
            transfer.end = self._clock.mark()
            total: torch.Tensor = reduced.value()[0]
            return total if self._dtype is None else buffer.copy_(total)

        work = dist.all_reduce(sent, async_op=True)
        assert work is not None
        future: torch.futures.Future[torch.Tensor] = work.get_future().then(note)
        return future

    def split(self, backwards: Sequence[tuple[Mark, Mark]]) -> list[BackwardParts]:
        """Split the backward of each step, given as its two ends; the device must be done with all."""
        parts = []
        for (start, end), buckets in zip(backwards, self.steps, strict=True):
            ready = self._clock.seconds(start, buckets[-1].start)
            reduced = max(self._clock.seconds(start, bucket.end) for bucket in buckets)
            dividing = sum(self._clock.seconds(bucket.filled, bucket.start) for bucket in buckets)
            copying = self._clock.seconds(start, end) - reduced
            parts.append(BackwardParts(ready - dividing, dividing, reduced - ready, copying))
        return parts

    def times(self, aligned: AlignedClock) -> list[BucketTimes]:
        """Return when each bucket travelled, on the clock that all ranks share."""
        at = aligned.at
        return [
            BucketTimes(same[0].bytes, [at(t.start) for t in same], [at(t.end) for t in same])
            for same in zip(*self.steps, strict=True)
        ]


class BufferHook:
    """Marks the beginning of a model's own forward, before which its wrapper broadcasts its buffers."""

    def __init__(self, ddp: DistributedDataParallel, clock: Clock) -> None:
        self.steps: list[Mark] = []
        """Beginning of the model's own forward in each step."""
        self._clock = clock
        ddp.module.register_forward_pre_hook(self._note)

    def begin(self) -> None:
        """Start a new step."""

    def _note(self, *_: object) -> None:
        self.steps.append(self._clock.mark())

    def seconds(self, beginnings: Sequence[Mark]) -> list[float]:
        """Return the seconds of each broadcast; `beginnings` are those of the wrapper's forward."""
        return [self._clock.seconds(start, own) for start, own in zip(beginnings, self.steps, strict=True)]


def take_turns(
    ddp: DistributedDataParallel, team: Group, train: Callable[[int], float], pace: float
) -> tuple[list[float], list[float]]:
    """Return the seconds of a step with and without gradient synchronisation, as means of alternating turns.

    `train` takes a number of steps and returns their seconds from idle device to idle device; `pace` is the
    approximate duration of a step, the same on all ranks. No rank waits for what another does after the last
    all-reduce of a turn, so that in short turns a slow optimizer hardly shows. Afterwards the ranks' weights
    differ.
    """
    steps = max(1, round(TURN_SECONDS / pace))
    pair = 2 * steps * pace
    pairs = min(MOST, max(FEWEST, round(TURNS_SECONDS / pair)), max(1, int(MOST_TURNS_SECONDS / pair)))
    synchronised: list[float] = []
    unsynchronised: list[float] = []

    def turn(seconds: list[float], how: SyncContext, steps: int) -> None:
        team.gather([0.0])  # all ranks begin together
        with how():
            seconds.append(train(steps) / steps)

    kinds: tuple[tuple[list[float], SyncContext], ...] = (
        (synchronised, nullcontext),
        (unsynchronised, ddp.no_sync),
    )
    for seconds, how in kinds if pace < LONG else ():  # the first step of each kind is slower
        turn(seconds, how, 1)
        seconds.clear()
    for number in range(pairs):
        for seconds, how in kinds if number % 2 else reversed(kinds):
            turn(seconds, how, steps)
    return synchronised, unsynchronised
