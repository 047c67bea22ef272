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
from gpubench_tui.engine.conductor import devices_in_use, queue
from gpubench_tui.engine.conductor.devices_in_use import (
    DevicesInUseError,
    Placed,
    place_sessions,
    sessions_ahead,
)
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.record.register import Register
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
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


def test_a_session_in_any_folder_is_known_until_it_has_ended(tmp_path: Path) -> None:
    one, other = Shelf(tmp_path / "one"), Shelf(tmp_path / "other")
    first = place(one, FIRST)
    with pytest.raises(DevicesInUseError, match=first.folders[0].name):
        place(other, FIRST)
    first._let_go()
    assert place(other, FIRST).folders[0].is_waiting()
    assert not first.folders[0].reserve.exists(), "it can no longer free it itself"
    register = Register()
    os.mkfifo(register._root / "0")
    (register._root / "00").write_bytes(b"\0")
    (register._root / "000").mkdir()
    assert [folder.path.parent for folder in register.under_way()] == [other.root]
    assert len(list(register._root.iterdir())) == 5, "of those that have ended none is left"


def test_without_a_place_for_the_register_sessions_are_placed_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    first = place(Shelf(tmp_path), FIRST)
    with pytest.raises(DevicesInUseError, match=first.folders[0].name):
        place(Shelf(tmp_path), FIRST)


@pytest.mark.slow
def test_a_queued_session_looks_again_when_its_turn_comes(tmp_path: Path) -> None:
    shelf, other_shelf = Shelf(tmp_path / "one"), Shelf(tmp_path / "other")
    ahead = place(shelf, FIRST)
    queued, later = place(shelf, FIRST, "wait").folders[0], place(other_shelf, FIRST, "anyway")
    assert [folder.path for folder in sessions_ahead(queued)] == [ahead.folders[0].path]
    ahead._let_go()
    assert sessions_ahead(queued) == [], "one that waits and came later does not go first"
    with later.folders[0].hold():
        assert [folder.path for folder in sessions_ahead(queued)] == [later.folders[0].path]
        assert queue._start(queued, anyway=False) is None
    process = queue._start(queued, anyway=False)
    assert process is not None
    process.kill()
    process.wait()


def test_the_next_session_removes_the_reserve_of_one_that_was_killed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    killed, elsewhere = (shelf.create(name, FIRST, recorded.host(2), "") for name in ("one", "two"))
    elsewhere.lock.write_text("1 another-machine\n")
    going_on = place(shelf, SECOND).folders[0]
    assert not killed.reserve.exists()
    assert elsewhere.reserve.exists() and going_on.reserve.exists()


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
