"""Which sessions may be measured at the same time, and that of two started at once only one is."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from building import recorded
from gpubench_tui.engine.conductor import devices_in_use
from gpubench_tui.engine.conductor.devices_in_use import DevicesInUseError, Placed, place_sessions
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.record.shelf import SessionFolder, Shelf
from msgspec.structs import replace

CPU, TWO_GPUS = recorded.plan(0), recorded.plan(2)
FIRST, SECOND = (
    replace(
        TWO_GPUS, runs=tuple(replace(spec, devices=TWO_GPUS.devices[i : i + 1]) for spec in TWO_GPUS.to_run)
    )
    for i in range(2)
)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No session of the person who runs the tests is in the way."""
    monkeypatch.setattr(devices_in_use, "default_root", lambda: tmp_path / "default")
    yield


def place(shelf: Shelf, plan: Plan, beside: devices_in_use.Beside = "refuse") -> Placed:
    create = partial(shelf.create, None, plan, recorded.host(2), "")
    return place_sessions(shelf, [plan], [create], beside)


def test_disjoint_gpus_do_not_disturb_each_other_and_a_cpu_session_disturbs_all() -> None:
    assert TWO_GPUS.disturbs(FIRST) and FIRST.disturbs(TWO_GPUS)
    assert not FIRST.disturbs(SECOND)
    assert CPU.disturbs(CPU) and CPU.disturbs(FIRST) and FIRST.disturbs(CPU)
    nothing = replace(CPU, runs=tuple(replace(spec, skip="too few devices") for spec in CPU.runs))
    assert not nothing.disturbs(CPU) and not CPU.disturbs(nothing)


def test_a_session_on_devices_in_use_is_refused_queued_or_started_anyway(tmp_path: Path) -> None:
    shelf, other_shelf = Shelf(tmp_path / "default"), Shelf(tmp_path / "other")
    first = place(shelf, FIRST)
    place(shelf, SECOND)
    for one in (shelf, other_shelf):
        with pytest.raises(
            DevicesInUseError, match=rf"{first.folders[0].name} uses GPU 0: each would distort"
        ):
            place(one, FIRST)
    assert other_shelf.all() == []
    waiting = place(shelf, FIRST, "wait")
    assert [other.path for other in waiting.after] == [first.folders[0].path]
    anyway = place(shelf, FIRST, "anyway")
    assert anyway.after == [] and len(anyway.beside) == 2


def test_of_two_sessions_started_in_the_same_instant_one_is_refused(tmp_path: Path) -> None:
    shelf, barrier = Shelf(tmp_path), threading.Barrier(4)
    placed: list[Placed] = []
    refused: list[DevicesInUseError] = []

    def start() -> None:
        barrier.wait()
        try:
            placed.append(place(shelf, CPU))
        except DevicesInUseError as error:
            refused.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(placed) == 1 and len(refused) == 3
    assert {error.others[0].path for error in refused} == {placed[0].folders[0].path}


def test_sessions_that_cannot_be_created_or_started_leave_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)

    def fail(*_: object) -> SessionFolder:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def launch(*_: SessionFolder) -> subprocess.Popen[bytes]:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    create = partial(shelf.create, None, CPU, recorded.host(0), "")
    with pytest.raises(OSError, match="No space"):
        place_sessions(shelf, [CPU, CPU], [create, fail], "refuse")
    assert shelf.all() == []
    place(shelf, CPU).abandon()
    assert shelf.all() == []
    placed = place(shelf, CPU)
    with pytest.raises(OSError, match="temporarily"):
        placed.start(launch)
    assert shelf.all() == []
