"""Faults of the places where a session keeps its files: what is said, what is kept, and that nothing is left.

Each row is a fault of a session that runs; the others befall one that would begin.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from building import recorded
from conductor.conftest import Session, Start, nursery, run_spec, start, wait_until_gone
from gpubench_tui.engine.conductor import sampling
from gpubench_tui.engine.conductor.processes import temporary
from gpubench_tui.engine.conductor.rank_logs import LEAST_BYTES, RankLogs
from gpubench_tui.engine.conductor.sampling import Sampling
from gpubench_tui.engine.host import shortage
from gpubench_tui.engine.host.shortage import no_shared_memory, with_remedy
from gpubench_tui.engine.record import session_folder as folder_module
from gpubench_tui.engine.record import shelf as shelf_module
from gpubench_tui.engine.record.events import LogMessage, RankStarted, Steps
from gpubench_tui.engine.record.journal import Follower, Journal
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli.main import main as run_command

__all__ = ["nursery", "start"]


class Fault(NamedTuple):
    name: str
    steps: list[tuple[Callable[[SessionFolder], object], str]]
    """What is done to its files, and what is then said in the journal."""
    goes_on: bool = False
    """Whether the session goes on, so that it has to be stopped."""
    keeps: bool = True
    """Whether what was recorded before is kept."""


def replace_journal(folder: SessionFolder) -> None:
    other = folder.path / "edited"
    other.write_text("of another program\n")
    other.replace(folder.journal)


FAULTS = [
    Fault(
        "journal replaced, then deleted",
        [
            (replace_journal, "replaced the journal"),
            (lambda folder: folder.journal.unlink(), "deleted the journal"),
        ],
        goes_on=True,
    ),
    Fault("journal cut off", [(lambda folder: os.truncate(folder.journal, 0), "cut it off")], keeps=False),
    Fault("folder deleted", [(lambda folder: shutil.rmtree(folder.path), "")], keeps=False),
    Fault("disk full", [(lambda folder: (folder.path / "full").touch(), "No space left on device")]),
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_running_session(fault: Fault, start: Start) -> None:
    session: Session = start(run_spec(0, "work_on", ranks=1), run_spec(1, "behave"))
    folder = session.folder
    session.until(lambda event: isinstance(event, Steps), count=2)
    processes = session.processes()
    for inflict, said in fault.steps:
        inflict(folder)
        if fault.goes_on:
            session.until(lambda event, said=said: isinstance(event, LogMessage) and said in event.text)
    if fault.goes_on:
        session.process.terminate()
    assert session.wait() == (130 if fault.goes_on else 1)
    wait_until_gone(processes)
    if not folder.path.exists():
        return
    recorded_session = read_session(folder.journal)
    assert recorded_session.outcome == ("stopped" if fault.goes_on else "interrupted")
    assert fault.goes_on or said in recorded_session.reason
    assert [run.state for run in recorded_session.runs.values()] == ["stopped", "stopped"]
    assert any(isinstance(event, RankStarted) for event in session.events()) == fault.keeps
    assert not folder.reserve.exists()


@pytest.mark.slow
@pytest.mark.parametrize("which", ["TMPDIR", "the session's own in it"])
def test_a_folder_for_temporary_files_that_is_deleted(
    which: str, start: Start, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(short))
    session = start(run_spec(0, "work_on"), run_spec(1, "ddp"), run_spec(2, "ddp"))
    session.until(lambda event: isinstance(event, Steps), count=2)
    for folder in [short] if which == "TMPDIR" else short.glob("gpubench-tui-*"):
        shutil.rmtree(folder)
    session.wait()
    first, *others = session.ends().values()
    assert first.failure is not None
    assert first.failure.message.startswith("another program deleted the folder")
    assert [end.outcome for end in others] == ["measured", "measured"]
    said = [event.text for event in session.events() if isinstance(event, LogMessage)]
    assert len([text for text in said if "is used instead" in text]) == 1
    assert not short.exists() or not list(short.iterdir())


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, since a socket lies in it."""
    folder = Path(tempfile.mkdtemp(prefix="gpubench-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


# One that would begin


@pytest.mark.parametrize(
    ("module", "broken", "number", "said"),
    [
        (folder_module, "write_private", errno.ENOSPC, "there is no room for a session"),
        (folder_module, "take", errno.ENOLCK, "its file system has no locks"),
        (shelf_module, "_new_folder", errno.EROFS, "Read-only file system"),
    ],
)
def test_where_no_session_can_be_kept_none_is_begun(
    module: ModuleType, broken: str, number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(module, broken)

    def refuse(path: Path, *rest: object) -> object:
        if broken == "write_private" and path.name != "reserve":
            return real(path, *rest)
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(module, broken, refuse)
    with pytest.raises(OSError, match=f"{said}.*--sessions-dir DIR"):
        Shelf(tmp_path).create("mine", recorded.plan(0), recorded.host(0), "")
    assert list(tmp_path.iterdir()) == []


def test_a_path_too_long_for_sockets_is_replaced_by_a_shorter_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(temporary.tempfile, "tempdir", None)
    assert temporary._place() in ("/tmp", "/var/tmp", "/dev/shm", os.environ.get("XDG_RUNTIME_DIR"))
    monkeypatch.setattr(temporary, "_has_room", lambda folder: folder == str(long))
    with pytest.raises(OSError, match=r"too long for sockets; .*set TMPDIR to one of \d+ characters at most"):
        temporary._place()


@pytest.mark.slow
def test_a_session_that_cannot_begin_says_why_in_its_journal_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Shelf(tmp_path).create("mine", recorded.plan(0), recorded.host(0), "")
    code = (
        "import sys\nfrom gpubench_tui.engine.conductor import __main__ as process\n"
        "from gpubench_tui.engine.conductor.processes import temporary\n"
        "temporary._has_room = lambda folder: False\nsys.exit(process.main(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder.path)], check=False)
    session = read_session(folder.journal)
    assert done.returncode == 1
    assert session.outcome == "interrupted" and "no folder for temporary files" in session.reason
    assert {run.state for run in session.runs.values()} <= {"stopped", "skipped"}
    assert run_command(["report", str(folder.path)]) == 0
    assert "interrupted: there is no folder for temporary files" in capsys.readouterr().out


@pytest.mark.slow
def test_a_session_that_finds_the_disk_full_as_it_begins_uses_its_reserve(tmp_path: Path) -> None:
    folder = Shelf(tmp_path).create("mine", recorded.plan(0), recorded.host(0), "")
    code = (
        "import errno, os, sys\nfrom gpubench_tui.engine.conductor import __main__ as process\n"
        "real = os.open\n"
        "def full(path, flags, *rest, **more):\n"
        "    new = flags & os.O_CREAT and not os.path.exists(path) and str(path).startswith(sys.argv[1])\n"
        "    if new and os.path.exists(sys.argv[1] + '/reserve'):\n"
        "        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))\n"
        "    return real(path, flags, *rest, **more)\n"
        "os.open = full\nsys.exit(process.main(sys.argv[1]))"
    )
    folder.log.touch()  # by whoever starts the process
    done = subprocess.run([sys.executable, "-c", code, str(folder.path)], check=False)
    assert (done.returncode, folder.reserve.exists()) == (1, False)
    assert "No space left on device" in read_session(folder.journal).reason


# What is short, and what grows


def test_what_the_system_refuses_comes_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "ulimit -n 4096" in with_remedy(f"OSError: [Errno 24] {os.strerror(errno.EMFILE)}")
    assert with_remedy("KeyError: 'x'") == "KeyError: 'x'"
    assert with_remedy(os.strerror(errno.EFBIG)) == os.strerror(errno.EFBIG), "no limit is set"
    limits = {resource.RLIMIT_FSIZE: 102_400, resource.RLIMIT_AS: 1 << 28, resource.RLIMIT_NPROC: 60}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits.get(kind, -1), -1))
    for error, remedy in {
        os.strerror(errno.EFBIG): "a file may have 102,400 bytes here; more: ulimit -f unlimited",
        "ImportError: libtorch_cpu.so: failed to map segment from shared object": "ulimit -v unlimited",
        "RuntimeError: can't start new thread": "60 processes and threads here; more: ulimit -u unlimited",
    }.items():
        assert remedy in with_remedy(error)
    no_space = f"OSError: [Errno 28] {os.strerror(errno.ENOSPC)}"
    monkeypatch.setattr(shortage, "SHARED_MEMORY", Path("/nowhere"))
    assert "--sessions-dir DIR" in with_remedy(no_space)
    monkeypatch.setattr(shortage, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(shortage, "LITTLE_BYTES", 1 << 60)
    assert f"{tmp_path} is full" in with_remedy(no_space)
    monkeypatch.undo()
    full = no_shared_memory(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert full.startswith("shared memory, /dev/shm, is ") and "--shm-size" in full


def test_a_log_that_is_too_long_loses_its_middle(tmp_path: Path) -> None:
    folder = Shelf(tmp_path).create("mine", recorded.plan(0), recorded.host(0), "")
    log = folder.rank_log("00-any", 0)
    with log.open("ab", buffering=0) as rank:
        logs = RankLogs(folder)
        for line in range(3):
            rank.write(b"begin\n" + b"x" * 3_000_000 + b"end %d\n" % line)
            logs.limit(1_000_000)
            assert log.stat().st_size <= 1_000_000
    text = log.read_bytes()
    assert text.startswith(b"begin\n") and text.endswith(b"end 2\n")
    assert b"bytes left out: the log was too long" in text
    assert logs.make_room() and log.stat().st_size <= LEAST_BYTES
    assert not logs.make_room(), "nothing more can be freed"


def test_a_rank_whose_log_cannot_be_written_still_says_why_it_failed(tmp_path: Path) -> None:
    code = (
        "import os, queue\n"
        "from types import SimpleNamespace as Any\n"
        "from gpubench_tui.engine.conductor import rank_entry\n"
        "os.environ['RANK'] = '0'\n"
        "sent = queue.Queue()\n"
        "rank_entry.keep_own_end = lambda queues, rank: sent\n"
        "rank_entry.redirect_output = lambda log: os.dup2(os.open('/dev/full', os.O_WRONLY), 2)\n"
        "def leave(queue, status):\n"
        "    rank_entry.flush_output()\n"
        "    os.write(1, sent.queue[-1][0].message.encode())\n"
        "    os._exit(status)\n"
        "rank_entry._leave = leave\n"
        "run = Any(id='run')\n"
        "told = Any(logs='', log_name=str, started=0.0, run=run)\n"
        "rank_entry.enter('math:no_such_function', told, [])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, "no_such_function" in done.stdout) == (1, True), done


def test_a_journal_that_cannot_grow_says_why_and_keeps_its_lines_apart(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    code = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from gpubench_tui.engine.record.events import LogMessage\n"
        "from gpubench_tui.engine.record.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "for bytes, text in ((100, 'one'), (100, 'x' * 200), (-1, 'two')):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, most))\n"
        "    try:\n"
        "        journal.append(LogMessage(at=0.0, level='info', text=text))\n"
        "    except OSError as error:\n"
        "        print(error.strerror, error.filename)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    assert done.stdout == f"{os.strerror(errno.EFBIG)} {path}\n"
    assert [event.text for event in Follower(path).read()] == ["one", "two"]


def test_a_journal_that_shrinks_is_read_anew(tmp_path: Path) -> None:
    follower, journal = Follower(tmp_path / "journal"), Journal(tmp_path / "journal")
    for text in ("one", "two"):
        journal.append(LogMessage(at=0.0, level="info", text=text))
    assert len(follower.read()) == 2
    os.truncate(tmp_path / "journal", 0)
    journal.append(LogMessage(at=0.0, level="info", text="three"))
    assert [event.text for event in follower.read()] == ["three"]
    journal.close()


def test_the_newest_session_is_the_last_begun_though_the_clock_was_set_back(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first = shelf.create("first", recorded.plan(0), recorded.host(0), "")
    os.utime(first.plan, (4e9, 4e9))
    second = shelf.create("second", recorded.plan(0), recorded.host(0), "")
    third = shelf.create("third", recorded.plan(0), recorded.host(0), "")
    assert [folder.name for folder in shelf.all()] == [third.name, second.name, first.name]


@pytest.mark.parametrize(("years", "said"), [(-3, "set back by 1,095 days"), (3, "set forward")])
def test_a_clock_that_is_set_is_said(years: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences: list[str] = []
    watching = Sampling((), tuple, lambda *_: None, sentences.append)
    watching._look_at_clock()
    now = sampling._clock_offset()
    monkeypatch.setattr(sampling, "_clock_offset", lambda: now + years * 365 * 86400)
    watching._look_at_clock()
    watching._look_at_clock()
    assert len(sentences) == 1 and said in sentences[0]
