import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from building.all_kinds import HOST, PLAN, STARTED
from gpubench_tui.engine.conductor.control import skip_run, stop_session
from gpubench_tui.engine.record.events import Event
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.session_folder import Request, SessionFolder
from gpubench_tui.engine.record.shelf import Shelf, ShelfError, default_root, problem_with_stem


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
def held(folder: SessionFolder, user: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the session's lock, as a session process does."""
    script = """
import os, sys
from pathlib import Path
from gpubench_tui.engine.record.shelf import SessionFolder
with SessionFolder(Path(sys.argv[1])).hold():
    if len(sys.argv) > 2:
        os.setuid(int(sys.argv[2]))
    print("held", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder.path), *([] if user is None else [str(user)])],
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
    with pytest.raises(LookupError, match="is named 'resnet'"):
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
        with pytest.raises(RuntimeError, match="already running"), folder.hold():
            pass
        assert folder.pid() == process.pid
    assert not folder.is_running()
    assert folder.pid() is None


def test_a_killed_session_was_interrupted(shelf: Shelf) -> None:
    folder = create(shelf)
    with held(folder) as process:
        assert folder.state(None) == "running"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert folder.state(None) == "interrupted"
    with folder.hold():
        assert folder.pid() == os.getpid()


def test_a_session_of_another_machine_has_no_pid_here(shelf: Shelf) -> None:
    folder = create(shelf)
    with held(folder):
        folder.lock.write_text("1 somewhere-else\n")
        assert folder.is_running()
        assert folder.pid() is None


OPENERS = {
    "nothing": "pass",
    "open": "file = open(path, 'r+')",
    "shared": "file = os.open(path, os.O_RDONLY); fcntl.flock(file, fcntl.LOCK_SH)",
}


@pytest.mark.parametrize("opener", OPENERS)
def test_a_lock_names_only_who_holds_it(shelf: Shelf, opener: str) -> None:
    folder = create(shelf)
    folder.lock.touch()
    script = (
        f"import fcntl, os, sys; path = sys.argv[1]; {OPENERS[opener]}; print(flush=True); sys.stdin.read()"
    )
    bystander = subprocess.Popen(
        [sys.executable, "-c", script, str(folder.lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert bystander.stdout is not None and bystander.stdout.readline()
    planted = f"{bystander.pid} {socket.gethostname()}\n"
    folder.lock.write_text(planted)
    assert not folder.is_running() and folder.pid() is None
    if opener != "shared":  # with which no other process can hold it
        with held(folder) as process:
            assert folder.pid() == process.pid
            folder.lock.write_text(planted)
            assert folder.is_running() and folder.pid() is None
            assert not stop_session(folder) and not skip_run(folder)
    assert bystander.poll() is None
    bystander.communicate()


def test_a_link_to_the_lock_of_a_session_is_none(shelf: Shelf) -> None:
    folder, planted = create(shelf, "a"), create(shelf, "b")
    with held(folder):
        planted.lock.unlink()
        planted.lock.symlink_to(folder.lock)
        assert folder.pid() is not None
        assert planted.pid() is None and not stop_session(planted)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_another_user_has_no_session_here(shelf: Shelf) -> None:
    folder = create(shelf)
    with held(folder, user=12345):
        assert folder.is_running() and folder.pid() is None
        assert not stop_session(folder)


def test_a_session_takes_another_name(shelf: Shelf) -> None:
    folder = create(shelf)
    record(folder, STARTED)
    renamed = shelf.rename(folder, "Größe_2.bf16-b")
    assert [each.name for each in shelf.all()] == [renamed.name] == ["Größe_2.bf16-b"]
    assert read_session(renamed.journal).name == "Größe_2.bf16-b"
    assert renamed.request() == Request(PLAN, HOST)
    assert not folder.path.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", ".hidden", "two words", "line\n", "x" * 101])
def test_what_is_no_name_is_refused(shelf: Shelf, name: str) -> None:
    folder = create(shelf)
    with pytest.raises(ShelfError, match="is not a valid session name"):
        shelf.rename(folder, name)
    assert folder.path.is_dir()


def test_a_name_that_is_taken_is_refused(shelf: Shelf) -> None:
    first, second = create(shelf, "a"), create(shelf, "b")
    (shelf.root / "empty").mkdir()
    for name in (second.name, first.name, "empty"):
        with pytest.raises(ShelfError, match=f"already a session named {name}"):
            shelf.rename(first, name)
    assert len(shelf.all()) == 2


def test_a_deleted_session_leaves_nothing(shelf: Shelf) -> None:
    folder, other = create(shelf, "a"), create(shelf, "b")
    record(folder, STARTED)
    (folder.logs / "rank0.log").write_text("said")
    shelf.delete(folder)
    assert [path.name for path in shelf.root.iterdir()] == [other.name]
    with pytest.raises(ShelfError, match="cannot be deleted"):
        shelf.delete(folder)


@pytest.mark.parametrize("what", ["a folder", "a link", "a socket or device"])
def test_what_has_the_name_of_a_lock_and_is_none_is_said(shelf: Shelf, what: str) -> None:
    folder = create(shelf)
    folder.lock.unlink()
    match what:
        case "a folder":
            folder.lock.mkdir()
        case "a link":
            folder.lock.symlink_to(folder.plan)
        case _:
            os.mknod(folder.lock, stat.S_IFSOCK)
    with pytest.raises(ShelfError, match=rf"cannot be deleted: {what}, not a lock: {folder.lock}$"):
        shelf.delete(folder)


def test_what_cannot_be_removed_is_out_of_the_list(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path / "logs"))

    folder = create(shelf)
    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(ShelfError, match="Permission denied") as error:
        shelf.delete(folder)
    (grave,) = shelf.root.iterdir()
    assert str(grave) in str(error.value)
    assert shelf.all() == []


def test_a_running_session_keeps_its_name_and_its_folder(shelf: Shelf) -> None:
    folder = create(shelf)
    with held(folder) as process:
        with pytest.raises(ShelfError, match="is running: it can be renamed once it has ended"):
            shelf.rename(folder, "other")
        with pytest.raises(ShelfError, match="is running: it can be deleted once it has ended"):
            shelf.delete(folder)
        assert folder.pid() == process.pid
    shelf.delete(shelf.rename(folder, "other"))
    waiting = create(shelf)
    turn = waiting.wait_for_turn(None)
    with pytest.raises(ShelfError, match="is waiting"):
        shelf.rename(waiting, "other")
    os.close(turn)
    shelf.delete(waiting)
    assert shelf.all() == []


def test_a_queue_that_leads_back_to_itself_has_an_end(shelf: Shelf) -> None:
    first, second = create(shelf), create(shelf)
    first.next.write_text(second.name)
    second.next.write_text(first.name)
    with held(second):
        assert [folder.path for folder in first.queued_behind()] == [second.path]
    first.next.write_text(first.name)
    assert first.queued_behind() == []


def test_only_what_is_on_the_shelf_is_renamed_or_deleted(shelf: Shelf, tmp_path: Path) -> None:
    elsewhere = create(Shelf(tmp_path / "elsewhere"))
    (elsewhere.path / "thesis.tex").write_text("mine")
    with pytest.raises(ShelfError, match="only be deleted by hand"):
        shelf.delete(elsewhere)
    with pytest.raises(ShelfError, match="only be renamed by hand"):
        shelf.rename(elsewhere, "other")
    assert (elsewhere.path / "thesis.tex").exists()


def test_the_default_place_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_root() == tmp_path / "gpubench-tui" / "sessions"


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_the_folders_above_a_session_are_private_too(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        folder = create(Shelf(tmp_path / "a" / "b" / "sessions"))
        folder.wait_for_turn(folder)
    finally:
        os.umask(before)
    for path in (tmp_path / "a").rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    assert mode(tmp_path / "a") == 0o700


def test_no_link_is_followed_to_what_is_deleted(shelf: Shelf, tmp_path: Path) -> None:
    folder = create(shelf)
    within, outside = shelf.root / "latest", tmp_path / "mine"
    within.symlink_to(folder.path)
    outside.symlink_to(folder.path)
    (folder.logs / "data").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").mkdir()
    for text in ("latest", str(outside), f"{outside}/"):
        with pytest.raises(ShelfError, match="can only be deleted by hand"):
            shelf.delete(shelf.find_own(text))
    assert folder.plan.exists() and within.is_symlink() and outside.is_symlink()
    shelf.delete(shelf.find_own(folder.name))
    assert not folder.path.exists() and (tmp_path / "precious").exists()


def test_a_session_is_reached_over_a_link_to_the_shelf(shelf: Shelf, tmp_path: Path) -> None:
    folder = create(shelf)
    (tmp_path / "shelf").symlink_to(shelf.root)
    linked = Shelf(tmp_path / "shelf")
    linked.delete(linked.find_own(str(tmp_path / "shelf" / folder.name)))
    assert not folder.path.exists()


@pytest.mark.parametrize("text", ["..", "../x", "a/../b", "-x", "--yes", "/tmp/.."])
def test_a_name_that_leads_elsewhere_is_none_to_change(text: str, shelf: Shelf) -> None:
    create(shelf)
    with pytest.raises(LookupError, match="leads through"):
        shelf.find_own(text)


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc", "..", ".hidden", "-x", "", "***", "a\0b"])
def test_a_session_cannot_be_named_after_another_place(name: str) -> None:
    assert "is not a valid session name" in problem_with_stem(name)


@pytest.mark.parametrize("name", ["a", "batch 256 (again)", "1.5x", "ünï", "_x"])
def test_other_names_are_made_to_fit(name: str, shelf: Shelf) -> None:
    assert not problem_with_stem(name)
    assert create(shelf, name).path.parent == shelf.root


@pytest.mark.parametrize(
    "name",
    ["l" * 250, "\u65e5" * 100, "x" * 199 + "\u65e5 y", "." * 300 + "z"],
    ids=["letters", "wide", "cut within a letter", "dots"],
)
def test_a_name_of_any_length_fits(shelf: Shelf, name: str) -> None:
    folders = [create(shelf, f"try-{name}") for _ in range(2)]
    assert all(folder.path.is_dir() and folder.name.startswith("try-") for folder in folders)
    assert folders[0].name != folders[1].name
