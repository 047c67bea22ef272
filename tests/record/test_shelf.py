import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gpubench_tui.engine.record.events import Event, RunFinished, RunStarted, SessionFinished
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import fold
from gpubench_tui.engine.record.shelf import Request, SessionFolder, Shelf, default_root, describe_state

from .events_of_all_kinds import DDP, HOST, PLAN, SINGLE, STARTED, steps


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "state" / "sessions")


def create(shelf: Shelf, name: str | None = None) -> SessionFolder:
    return shelf.create(name, PLAN, HOST, 'title = "Démo"\n')


def record(folder: SessionFolder, *events: Event) -> None:
    journal = Journal(folder.journal)
    for event in events:
        journal.append(event)
    journal.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def held(folder: SessionFolder) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the session's lock, as a session process does."""
    script = """
import sys
from pathlib import Path
from gpubench_tui.engine.record.shelf import SessionFolder
with SessionFolder(Path(sys.argv[1])).hold():
    print("held", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.communicate()


def test_a_new_folder_is_private_and_holds_the_request(shelf: Shelf) -> None:
    folder = create(shelf)
    assert folder.path.parent == shelf.root
    assert folder.name.startswith("demo-")
    assert folder.request() == Request(PLAN, HOST)
    assert folder.preset.read_text() == 'title = "Démo"\n'
    assert [mode(path) for path in (shelf.root, folder.path, folder.logs)] == [0o700] * 3
    assert [mode(path) for path in (folder.plan, folder.preset)] == [0o600] * 2


def test_sessions_of_the_same_second_have_folders_of_their_own(shelf: Shelf) -> None:
    folders = [create(shelf, "mine") for _ in range(5)]
    assert len({folder.name for folder in folders}) == 5
    assert {folder.name for folder in shelf.all()} == {folder.name for folder in folders}


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".hidden", "with spaces\n", "-x", "…"])
def test_no_name_leaves_the_shelf(shelf: Shelf, name: str) -> None:
    folder = create(shelf, name)
    assert folder.path.resolve().parent == shelf.root.resolve()
    assert folder.name[0] not in "-."


def test_newest_first(shelf: Shelf) -> None:
    folders = [create(shelf, name) for name in ("b", "a", "c")]
    for age, folder in enumerate(folders):
        os.utime(folder.plan, (1000 - age, 1000 - age))
    assert [folder.name for folder in shelf.all()] == [folder.name for folder in folders]
    (shelf.root / "not a session").mkdir()
    (shelf.root / "file").write_text("")
    assert len(shelf.all()) == 3


def test_finding_a_session(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no sessions"):
        shelf.find(None)
    first, second = create(shelf, "cnn"), create(shelf, "vit")
    os.utime(first.plan, (1, 1))
    assert shelf.find(None).path == second.path
    assert shelf.find(first.name).path == first.path
    assert shelf.find("vi").path == second.path
    elsewhere = create(Shelf(tmp_path / "elsewhere"))
    assert shelf.find(str(elsewhere.path)).path == elsewhere.path.resolve()
    record(elsewhere, STARTED)
    assert shelf.find(str(elsewhere.journal)).path == elsewhere.path.resolve()
    with pytest.raises(LookupError, match="is called 'resnet'"):
        shelf.find("resnet")


def test_a_prefix_of_several_names_them(shelf: Shelf) -> None:
    names = [create(shelf, "cnn").name, create(shelf, "cnn").name]
    with pytest.raises(LookupError) as error:
        shelf.find("cnn")
    assert all(name in str(error.value) for name in names)
    assert shelf.find(min(names)).name == min(names), "a whole name wins over the longer one it begins"


def test_a_session_runs_while_its_process_holds_the_lock(shelf: Shelf) -> None:
    folder = create(shelf)
    assert not folder.is_running()
    assert folder.pid() is None
    with held(folder) as process:
        assert folder.is_running()
        assert folder.pid() == process.pid
        assert folder.state(None) == "running"
        with pytest.raises(RuntimeError, match="running already"), folder.hold():
            pass
        assert folder.pid() == process.pid
    assert not folder.is_running()
    assert folder.pid() is None


def test_a_killed_session_was_interrupted(shelf: Shelf) -> None:
    folder = create(shelf)
    session = fold([STARTED])
    with held(folder) as process:
        assert describe_state(folder, session) == "running"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert describe_state(folder, session) == "interrupted"
    with folder.hold():
        assert folder.pid() == os.getpid()


def test_a_session_of_another_machine_has_no_pid_here(shelf: Shelf) -> None:
    folder = create(shelf)
    with held(folder):
        folder.lock.write_text("1 somewhere-else\n")
        assert folder.is_running()
        assert folder.pid() is None


def test_at_a_glance_what_a_whole_fold_would_say(shelf: Shelf) -> None:
    folder = create(shelf)
    record(
        folder,
        STARTED,
        RunStarted(at=1.0, run=SINGLE.id),
        *(steps(SINGLE.id, 0, i, [0.1], at=float(i)) for i in range(1000)),
        RunFinished(at=2.0, run=SINGLE.id, outcome="measured"),
        RunFinished(at=3.0, run=DDP.id, outcome="failed"),
        SessionFinished(at=4.0, outcome="finished"),
    )
    (entry,) = shelf.entries()
    assert (entry.name, entry.preset, entry.title, entry.host) == (folder.name, "demo", "Démo", "bench")
    assert (entry.runs, entry.measured, entry.failed, entry.state) == (3, 1, 1, "finished")
    assert entry.unix_time == STARTED.unix_time


def test_a_journal_cut_off_is_still_listed(shelf: Shelf) -> None:
    folder = create(shelf)
    record(folder, STARTED, RunFinished(at=2.0, run=SINGLE.id, outcome="measured"))
    content = folder.journal.read_bytes()
    for length in (0, 1, len(content) // 2, len(content) - 1, len(content)):
        folder.journal.write_bytes(content[:length])
        entry = folder.entry()
        assert entry is not None
        assert (entry.state, entry.runs, entry.preset) == ("interrupted", 3, "demo")
        assert entry.measured == (length >= len(content) - 1)


def test_a_session_that_left_nothing_readable_is_not_listed(shelf: Shelf) -> None:
    folder = create(shelf)
    folder.plan.write_bytes(b"\x00\xff")
    assert folder.entry() is None
    assert shelf.entries() == []


def test_the_default_place_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_root() == tmp_path / "gpubench-tui" / "sessions"
