"""What a session leaves in the folder for temporary files, and what the next one removes."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpubench_tui.engine.conductor.processes.temporary import remove_abandoned
from gpubench_tui.engine.record.events import Steps
from gpubench_tui.engine.record.lock import take

from .conftest import Start, run_spec, wait_until_gone

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nursery")]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files with a short path, since a socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="gpubench-test-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr("tempfile.tempdir", None)
        yield Path(folder)


def private(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


def ours(folder: Path) -> set[Path]:
    """What is in it but torch's cache of compiled code, which stays for other programs."""
    return {path for path in folder.iterdir() if not path.name.startswith("torchinductor")}


def names(folder: Path) -> list[str]:
    return sorted(path.name.rsplit("-", 1)[0] for path in ours(folder))


def test_in_place_of_a_folder_too_long_for_sockets_a_shorter_one_serves(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    session = start(run_spec(0, "behave"))
    assert session.wait() == 0, session.folder.log.read_text()
    assert names(long) == []


def test_what_a_killed_session_left_is_removed_at_once(start: Start, temporary: Path) -> None:
    killed = start(run_spec(0, "work_on"))
    killed.until(lambda event: isinstance(event, Steps), count=2)
    processes = killed.processes()
    killed.process.kill()
    wait_until_gone(processes)
    assert names(temporary) == []


def test_the_next_session_removes_what_one_left_that_was_killed_whole(start: Start, temporary: Path) -> None:
    killed = start(run_spec(0, "work_on"))
    killed.until(lambda event: isinstance(event, Steps), count=2)
    processes = killed.processes()
    killed.process.send_signal(signal.SIGSTOP)
    for process in processes:  # its guardian too, which would remove everything
        process.kill()
    killed.process.kill()
    killed.wait()
    wait_until_gone(processes)
    assert names(temporary) == ["gpubench-tui", "pymp"]

    going_on = start(run_spec(0, "work_on"))
    going_on.until(lambda event: isinstance(event, Steps), count=2)
    assert names(temporary) == ["gpubench-tui", "pymp"], "its own, and nothing of the killed one's"
    own = ours(temporary)

    following = start(run_spec(0, "behave"))
    assert following.wait() == 0
    assert ours(temporary) == own, "nothing is left by a session, and nothing is taken from another"
    going_on.process.terminate()
    assert going_on.wait() == 130
    assert names(temporary) == []


def test_only_folders_without_an_owner_that_are_surely_a_sessions_are_removed(
    temporary: Path, tmp_path: Path
) -> None:
    abandoned, held, older, public = (
        private(temporary / f"gpubench-tui-{name}") for name in ("abandoned", "held", "older", "public")
    )
    beside, foreign = private(temporary / "pymp-beside"), private(temporary / "pymp-foreign")
    elsewhere = private(tmp_path / "pymp-elsewhere")
    (abandoned / "owner").write_text("pymp-beside")
    (temporary / "gpubench-tui-link").symlink_to(held)
    (held / "owner").write_text("pymp-foreign")
    (older / "run").mkdir()  # of a version that named no owner
    (public / "owner").write_text("pymp-foreign")
    public.chmod(0o777)
    astray = private(temporary / "gpubench-tui-astray")
    (astray / "owner").write_text(f"../{elsewhere.name}")
    lock = take(held / "owner")
    assert lock is not None
    remove_abandoned()
    os.close(lock)
    left = [held, older, public, foreign, temporary / "gpubench-tui-link"]
    assert sorted(temporary.iterdir()) == sorted(left)
    assert elsewhere.is_dir()
    assert not beside.exists()
