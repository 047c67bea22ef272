"""Ranks whose clocks drift apart, from the marks of their GPUs to what is said of their buckets."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import torch
from gpubench_tui.engine.analysis.results.buckets import GradientBucket, bucket_times, steps_of
from gpubench_tui.engine.record.events import BucketTimes, CommunicationMeasured
from gpubench_tui.engine.training.device.alignment import TRIES, AlignedClock, Anchor, take_anchor
from gpubench_tui.engine.training.device.clock import Mark

TRANSFER = 110e-6
PPM = 1e-6


class DriftingClock:
    """A GPU whose oscillator is off, on a host whose calls take a while; now and then a long while."""

    device = torch.device("cpu")

    def __init__(self, ppm: float, seed: int) -> None:
        self.host = 1000.0
        self.rate = 1 + ppm * PPM
        self.offset = 50.0 * seed
        self.released = 0
        self._random = random.Random(seed)

    def take(self, least: float) -> None:
        """Let the host's time pass: `least` seconds, or more where something else has the processor."""
        self.host += least + self._random.choice((0.0, 0.0, 2e-6, 30e-6, 5e-3))

    def mark(self) -> Mark:
        self.take(4e-6)
        marked = self.marked_at(self.host)
        self.take(4e-6)
        return marked

    def marked_at(self, host: float) -> float:
        return self.offset + self.rate * host

    def now(self) -> float:
        return self.host

    def seconds(self, start: Mark, end: Mark) -> float:
        assert isinstance(start, float)
        assert isinstance(end, float)
        return end - start

    def synchronize(self) -> None:
        self.take(4e-6)

    def release(self, mark: Mark) -> None:
        self.released += 1

    def reached(self, mark: Mark) -> bool:
        return True

    def enter_thread(self) -> None: ...


def told(
    rank: int, clock: DriftingClock, starts: Sequence[float], ends: Sequence[float]
) -> CommunicationMeasured:
    """What a rank reports whose bucket really travels at these times of the host's."""
    first = take_anchor(clock, clock.now)
    marks = [[clock.marked_at(host) for host in times] for times in (starts, ends)]
    clock.host = max(clock.host, ends[-1] + 0.01)
    aligned = AlignedClock(clock, first, take_anchor(clock, clock.now))
    begun, over = ([aligned.at(mark) for mark in times] for times in marks)
    return CommunicationMeasured(
        at=0.0,
        run="01",
        rank=rank,
        buckets=[BucketTimes(25 << 20, begun, over)],
        synchronised=[],
        unsynchronised=[],
        clock_error=aligned.error,
    )


def seen(drifts: Sequence[float], wait: float) -> GradientBucket:
    """One bucket of 300 steps in 3 s, which rank 0 begins `wait` seconds after the others."""
    ranks = {}
    for rank, ppm in enumerate(drifts):
        own = [1000.5 + 0.01 * step + (wait if rank == 0 else 0.0) for step in range(300)]
        ends = [1000.5 + 0.01 * step + wait + TRANSFER for step in range(300)]
        ranks[rank] = told(rank, DriftingClock(ppm, seed=rank + 1), own, ends)
    steps = steps_of(ranks, len(drifts))
    assert steps is not None
    (bucket,) = bucket_times([steps], None)
    return bucket


DRIFTS = [(0.0, 0.0), (100.0, -100.0), (100.0, -50.0, 30.0, -100.0, 0.0, 80.0, -20.0, 60.0)]


@pytest.mark.parametrize("drifts", DRIFTS)
def test_drifting_clocks_make_no_wait(drifts: Sequence[float]) -> None:
    bucket = seen(drifts, wait=0.0)
    assert bucket.transfer_seconds == pytest.approx(TRANSFER, abs=15e-6)
    assert bucket.waits == {}
    assert bucket.wait_seconds is None


@pytest.mark.parametrize("drifts", DRIFTS)
def test_a_true_wait_is_found_whatever_the_clocks_do(drifts: Sequence[float]) -> None:
    bucket = seen(drifts, wait=400e-6)
    assert bucket.transfer_seconds == pytest.approx(TRANSFER, abs=15e-6)
    assert set(bucket.waits) == set(range(1, len(drifts)))
    assert all(wait == pytest.approx(400e-6, abs=15e-6) for wait in bucket.waits.values())


def test_of_several_anchors_the_tightest_is_kept() -> None:
    clock = DriftingClock(0.0, seed=3)
    anchor = take_anchor(clock, clock.now)
    assert anchor.error < 10e-6  # most brackets were interrupted
    assert clock.seconds(0.0, anchor.mark) == pytest.approx(clock.marked_at(anchor.at), abs=anchor.error)
    assert clock.released == TRIES - 1


def test_anchors_of_the_same_moment_have_the_hosts_rate() -> None:
    anchor = Anchor(5.0, 2.0, 0.0)
    assert AlignedClock(DriftingClock(0.0, 1), anchor, anchor).at(6.0) == 3.0
