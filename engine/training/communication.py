"""What the ranks of ddp say to each other: when each bucket travels, and what a step takes without.

Only for what follows the measured windows: a communication hook stays with its model for good.
"""

# No annotations from the future here: DistributedDataParallel compares a hook's with the types themselves.

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.nn.parallel import DistributedDataParallel

from ..record.events import BucketTimes
from .device.alignment import AlignedClock
from .device.clock import Clock, Mark
from .group import Group

How = Callable[[], AbstractContextManager[None]]
TURN_SECONDS = 0.05
"""How long a turn lasts, about; it always holds whole steps."""
TURNS_SECONDS = 1.5
"""How long all turns last together, about."""
FEWEST, MOST = 5, 20
"""Turns of each kind."""
MOST_SECONDS = 20.0
"""How long they may take together; where steps are long there are fewer, and no interval of the cost."""
LONG = 1.0
"""Seconds of a step in which what is odd about the first one is lost."""


def ddp_of(model: nn.Module) -> DistributedDataParallel | None:
    """The wrapper within a model, compiled or not; None in other modes."""
    return next((part for part in model.modules() if isinstance(part, DistributedDataParallel)), None)


@dataclass
class Transfer:
    """One bucket's all-reduce in one step."""

    bytes: int
    start: Mark
    """When the bucket was ready; on a GPU the moment in its stream, not that of the call."""
    end: Mark


class BackwardParts(NamedTuple):
    """Where one step's backward went, in seconds."""

    computation: float
    """Until the last bucket was ready."""
    exposed: float
    """From there to the end of the last all-reduce."""
    copying: float
    """From there to the end of backward: DDP copies averaged gradients back to their parameters."""


class BucketHook:
    """All-reduces a model's gradient buckets just as it would do itself, and notes when."""

    def __init__(self, ddp: DistributedDataParallel, clock: Clock) -> None:
        """Register the hook; `clock` must be its own, for torch calls the hook in threads of its own."""
        self.steps: list[list[Transfer]] = []
        """The buckets of each step since `begin`, in the order in which they were ready."""
        self._clock = clock
        ddp.register_comm_hook(None, self._all_reduce)

    def begin(self) -> None:
        """A step begins."""
        self.steps.append([])

    def _all_reduce(self, _: None, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        # Without a hook DDP divides while it fills the bucket: this is no part of the all-reduce either.
        buffer = bucket.buffer().div_(dist.get_world_size())
        start = self._clock.mark()
        transfer = Transfer(buffer.numel() * buffer.element_size(), start, end=start)
        self.steps[-1].append(transfer)

        def note(reduced: torch.futures.Future[torch.Tensor]) -> torch.Tensor:
            # For NCCL this runs at once, in a stream that waits for the collective; for gloo when it is over.
            transfer.end = self._clock.mark()
            total: torch.Tensor = reduced.value()[0]
            return total

        work = dist.all_reduce(buffer, async_op=True)
        assert work is not None
        future: torch.futures.Future[torch.Tensor] = work.get_future().then(note)
        return future

    def split(self, backwards: Sequence[tuple[Mark, Mark]]) -> list[BackwardParts]:
        """Split the backward of each step, given as its two ends; the device must be done with all."""
        parts = []
        for (start, end), buckets in zip(backwards, self.steps, strict=True):
            ready = self._clock.seconds(start, buckets[-1].start)
            reduced = max(self._clock.seconds(start, bucket.end) for bucket in buckets)
            parts.append(BackwardParts(ready, reduced - ready, self._clock.seconds(start, end) - reduced))
        return parts

    def times(self, aligned: AlignedClock) -> list[BucketTimes]:
        """Return when each bucket travelled, on the clock that all ranks share."""
        at = aligned.at
        return [
            BucketTimes(same[0].bytes, [at(t.start) for t in same], [at(t.end) for t in same])
            for same in zip(*self.steps, strict=True)
        ]


class BufferHook:
    """Notes when a model's own forward begins; until then its wrapper broadcasts its buffers."""

    def __init__(self, ddp: DistributedDataParallel, clock: Clock) -> None:
        self.steps: list[Mark] = []
        """That moment in each step."""
        self._clock = clock
        ddp.module.register_forward_pre_hook(self._note)

    def begin(self) -> None:
        """A step begins."""

    def _note(self, *_: object) -> None:
        self.steps.append(self._clock.mark())

    def seconds(self, beginnings: Sequence[Mark]) -> list[float]:
        """What came before, in each step; `beginnings`: when the wrapper's forward began."""
        return [self._clock.seconds(start, own) for start, own in zip(beginnings, self.steps, strict=True)]


def take_turns(
    ddp: DistributedDataParallel, team: Group, train: Callable[[int], float], pace: float
) -> tuple[list[float], list[float]]:
    """Seconds of a step with synchronised gradients and without, the means of turns taken alternately.

    `train` takes so many steps and returns the seconds from an idle device to an idle device; `pace` is about
    one step's, the same on all ranks. What a rank does after the last all-reduce of a turn keeps nobody
    waiting, so that where turns are short a slow optimizer hardly shows. Afterwards every rank holds weights
    of its own.
    """
    steps = max(1, round(TURN_SECONDS / pace))
    pair = 2 * steps * pace
    pairs = min(MOST, max(FEWEST, round(TURNS_SECONDS / pair)), max(1, int(MOST_SECONDS / pair)))
    synchronised: list[float] = []
    unsynchronised: list[float] = []

    def turn(seconds: list[float], how: How, steps: int) -> None:
        team.gather([0.0])  # nobody waits for another's turn before
        with how():
            seconds.append(train(steps) / steps)

    kinds: tuple[tuple[list[float], How], ...] = ((synchronised, nullcontext), (unsynchronised, ddp.no_sync))
    for seconds, how in kinds if pace < LONG else ():  # the first of each kind is unlike the others
        turn(seconds, how, 1)
        seconds.clear()
    for number in range(pairs):
        for seconds, how in kinds if number % 2 else reversed(kinds):
            turn(seconds, how, steps)
    return synchronised, unsynchronised
