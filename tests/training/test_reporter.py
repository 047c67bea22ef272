from __future__ import annotations

import contextlib
import os
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.queues import Queue
from typing import TypeAlias

import pytest
import torch
from gpubench_tui.engine.record.events import MetricsLost, PhaseChanged, RankEvent, RankFailed, Steps, Window
from gpubench_tui.engine.training.device.clock import Clock, Mark
from gpubench_tui.engine.training.device.cpu import CpuDevices, HostClock
from gpubench_tui.engine.training.reporter import CHUNK, Reporter, without_steps

Messages: TypeAlias = "Queue[list[RankEvent]]"


def new_queue(maxsize: int = 100) -> Messages:
    return get_context("spawn").Queue(maxsize)


class Listener:
    """What the session process is to a rank: another reader of the pipe, which the rank cannot close."""

    def __init__(self, queue: Messages) -> None:
        self._queue = queue
        self._end = Connection(os.dup(queue._reader.fileno()), writable=False)

    def read(self) -> list[RankEvent]:
        """All that is in the queue, or comes within a moment."""
        events: list[RankEvent] = []
        with contextlib.suppress(EOFError):
            while self._end.poll(0.2):
                events += self._end.recv()
                self._queue._sem.release()
        return events


def reporter_of(queue: Messages, clock: HostClock | None = None) -> Reporter:
    class Devices(CpuDevices):
        def new_clock(self) -> Clock:
            return clock or HostClock()

    return Reporter("01-test", 0, time.monotonic(), queue, Devices())


def take(reporter: Reporter, steps: int) -> None:
    for _ in range(steps):
        reporter.step(torch.tensor(float(reporter.steps)), 4, 0.1)


def window(reporter: Reporter, index: int, steps: int) -> None:
    reporter.send(
        Window(
            at=reporter.now(), run="01-test", rank=0, index=index, steps=steps, samples=4 * steps, seconds=1.0
        )
    )


def test_steps_arrive_complete_and_before_what_was_said_after_them() -> None:
    queue = new_queue()
    listener = Listener(queue)
    reporter = reporter_of(queue)
    reporter.phase("warming up")
    for index, steps in enumerate((3, CHUNK + 7, 1)):
        reporter.begin()
        take(reporter, steps)
        window(reporter, index, steps)
    reporter.close()
    events = listener.read()
    assert isinstance(events[0], PhaseChanged)
    seen = 0
    for event in events[1:]:
        if isinstance(event, Steps):
            assert event.first == seen
            assert event.loss == [float(seen + i) for i in range(len(event.seconds))]
            assert event.samples == [4] * len(event.seconds)
            assert min(event.seconds) >= 0
            seen += len(event.seconds)
        else:
            assert isinstance(event, Window)
            assert seen == {0: 3, 1: CHUNK + 10, 2: CHUNK + 11}[event.index]
    assert seen == CHUNK + 11
    assert sorted(event.at for event in events) == [event.at for event in events]


def test_a_pause_before_begin_belongs_to_no_step() -> None:
    queue = new_queue()
    listener = Listener(queue)
    reporter = reporter_of(queue)
    reporter.begin()
    take(reporter, 1)
    time.sleep(0.2)
    reporter.begin()
    take(reporter, 1)
    reporter.close()
    steps = [event for event in listener.read() if isinstance(event, Steps)]
    assert steps[1].at - sum(steps[1].seconds) - steps[0].at >= 0.19


def test_losses_that_are_no_numbers_are_none() -> None:
    queue = new_queue()
    listener = Listener(queue)
    reporter = reporter_of(queue)
    reporter.begin()
    for loss in (1.5, float("nan"), float("inf")):
        reporter.step(torch.tensor(loss), 1, 0.1)
    reporter.close()
    assert listener.read()[0].loss == [1.5, None, None]


def test_a_full_queue_loses_metrics_and_counts_them() -> None:
    queue = new_queue(maxsize=1)
    listener = Listener(queue)
    reporter = reporter_of(queue)
    for index in range(6):
        reporter.begin()
        take(reporter, 10)
        window(reporter, index, 10)
        time.sleep(0.12)
    events = listener.read()
    reporter.begin()
    take(reporter, 10)
    time.sleep(0.3)
    events += listener.read()
    reporter.close()
    events += listener.read()
    assert reporter.steps == 70
    kept = sum(len(event.seconds) for event in events if isinstance(event, Steps))
    lost = sum(event.steps for event in events if isinstance(event, MetricsLost))
    assert lost > 0
    assert kept + lost == 70
    assert [event.index for event in events if isinstance(event, Window)] == list(range(6))


def test_nobody_listening_troubles_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    queue = new_queue()
    queue._ignore_epipe = True
    queue._reader.close()
    reporter = reporter_of(queue)
    for _ in range(3):
        reporter.begin()
        take(reporter, 5)
        time.sleep(0.12)
    reporter.close()
    assert reporter.steps == 15
    assert capfd.readouterr().err == ""


class PausedClock(HostClock):
    """A clock whose thread is put off by the operating system just after its first mark."""

    pause = 0.02

    def mark(self) -> Mark:
        marked = super().mark()
        time.sleep(self.pause)
        self.pause = 0
        return marked


def test_steps_are_over_before_the_window_that_follows_them_though_the_thread_was_put_off() -> None:
    queue = new_queue()
    listener = Listener(queue)
    reporter = reporter_of(queue, PausedClock())
    reporter.begin()
    take(reporter, 1)
    window(reporter, 0, 1)
    reporter.close()
    steps, end = listener.read()
    assert isinstance(steps, Steps)
    assert isinstance(end, Window)
    assert steps.at <= end.at


class LateClock(HostClock):
    """A device that is behind: what was marked is reached when the test says so."""

    done = False
    broken = False

    def reached(self, mark: Mark) -> bool:
        if self.broken:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return self.done


def test_what_is_said_waits_for_the_steps_before_it_to_be_over_on_the_device() -> None:
    queue = new_queue()
    listener = Listener(queue)
    clock = LateClock()
    reporter = reporter_of(queue, clock)
    reporter.begin()
    take(reporter, 3)
    window(reporter, 0, 3)
    assert listener.read() == []
    clock.done = True
    reporter.close()
    assert [type(event) for event in listener.read()] == [Steps, Window]


def test_a_broken_device_does_not_silence_the_last_words() -> None:
    queue = new_queue()
    listener = Listener(queue)
    clock = LateClock()
    reporter = reporter_of(queue, clock)
    reporter.begin()
    take(reporter, 3)
    clock.broken = True
    reporter.fail("raised", "the GPU is gone")
    reporter.close()
    events = listener.read()
    assert [type(event) for event in events] == [MetricsLost, RankFailed]
    assert events[0].steps == 3


def test_metrics_that_are_lost_still_tell_the_first_loss_that_is_no_number() -> None:
    def of(first: int, *loss: float | None) -> Steps:
        count = len(loss)
        return Steps(
            at=1.0,
            run="a",
            rank=0,
            first=first,
            seconds=[0.1] * count,
            loss=list(loss),
            samples=[1] * count,
            learning_rate=[0.1] * count,
        )

    (lost,) = without_steps([of(0, 1.0, 2.0), of(2, 3.0, None), of(4, None)])
    assert isinstance(lost, MetricsLost)
    assert (lost.steps, lost.not_finite) == (5, 3)
    (sound,) = without_steps([of(0, 1.0), of(1, 2.0)])
    assert isinstance(sound, MetricsLost) and sound.not_finite is None
