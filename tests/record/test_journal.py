import os
import stat
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import get_args

import pytest
from building.all_kinds import EVENTS, STARTED
from gpubench_tui.engine.record import journal as journal_module
from gpubench_tui.engine.record.events import Event, LogMessage, ModelBuilt, RankFinished, RankMeasured
from gpubench_tui.engine.record.journal import Follower, Journal, read_journal
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.text.encoding import encode_json


def write(path: Path, events: list[Event]) -> None:
    journal = Journal(path)
    for event in events:
        journal.append(event)
    journal.close()


def test_every_kind_of_event_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert {type(event) for event in EVENTS} == set(get_args(Event))
    write(path, EVENTS)
    assert list(read_journal(path)) == EVENTS
    assert path.read_bytes().count(b"\n") == len(EVENTS)


def test_the_journal_is_private(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, EVENTS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.slow
def test_cut_off_at_any_byte_the_whole_lines_remain(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    events = EVENTS[1:]
    content = b"".join(encode_json(event) + b"\n" for event in events)
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        follower = Follower(path)
        whole = content[:length].count(b"\n")
        assert follower.read() == events[:whole]
        # The rest arrives later, and the torn line is then complete.
        with path.open("ab") as file:
            file.write(content[length:])
        assert follower.read() == events[whole:]
        assert follower.unreadable == 0


def test_a_journal_that_does_not_exist_yet_is_awaited(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "journal.jsonl")
    assert follower.read() == []
    write(follower.path, EVENTS[:2])
    assert follower.read() == EVENTS[:2]
    assert follower.read() == []
    with pytest.raises(FileNotFoundError):
        read_journal(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00\xff\xfe\x80garbage",
        b'{"event":"from the future","at":1.0}',
        b'{"event":"said","at":1.0,"level":"shouted","text":"x"}',
        b'{"event":"said","at":1.0,"level":"info","text":"\xff\xfe"}',
        b"[" * 100_000,
        b"{}",
        b"null",
    ],
)
def test_a_damaged_line_is_counted_and_the_others_are_read(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, EVENTS[:3])
    with path.open("ab") as file:
        file.write(damage + b"\n")
    write(path, EVENTS[3:])
    follower = Follower(path)
    assert follower.read() == EVENTS
    assert follower.unreadable == 1
    assert read_session(path).unreadable == 1


def test_lines_longer_than_a_chunk(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    long = LogMessage(at=0.0, level="info", text="x" * 3_000_000)
    write(path, [EVENTS[1], long, EVENTS[2]])
    assert list(read_journal(path)) == [EVENTS[1], long, EVENTS[2]]


@pytest.mark.parametrize("ends", [True, False])
def test_a_line_longer_than_any_event_is_left_out_and_not_kept(
    ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "LONGEST_LINE", 5000)
    monkeypatch.setattr(journal_module, "CHUNK_BYTES", 1000)
    path = tmp_path / "journal.jsonl"
    write(path, [EVENTS[1]])
    with path.open("ab") as file:
        file.write(b'{"event":"said","text":"' + b"x" * 1_000_000 + b"\n" * ends)
    follower = Follower(path)
    tracemalloc.start()
    assert follower.read() == [EVENTS[1]]
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()
    assert follower.unreadable == ends
    with path.open("ab") as file:
        file.write(b"\n" * (not ends))
    write(path, [EVENTS[2]])
    assert follower.read() == [EVENTS[2]]
    assert follower.unreadable == 1


def test_threads_share_the_writing_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)

    def say(name: int) -> None:
        for i in range(200):
            journal.append(LogMessage(at=float(i), level="info", text=f"{name} " + "x" * 5000))

    threads = [threading.Thread(target=say, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    follower = Follower(path)
    said = [event for event in follower.read() if isinstance(event, LogMessage)]
    assert follower.unreadable == 0
    for name in range(4):
        assert [event.at for event in said if event.text.startswith(f"{name} ")] == list(
            map(float, range(200))
        )


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.close()
    journal.close()
    with pytest.raises(OSError, match=r"[Bb]ad file"):
        journal.append(STARTED)


WRITER = """
import sys
from pathlib import Path
from gpubench_tui.engine.record.events import LogMessage
from gpubench_tui.engine.text.encoding import encode_json
from gpubench_tui.engine.record.journal import Journal
journal = Journal(Path(sys.argv[1]))
for i in range(int(sys.argv[2])):
    journal.append(LogMessage(at=float(i), level="info", text="x" * (i % 3000)))
    if i == 100:
        sys.stdin.readline()
"""


def test_following_another_process_while_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    count = 20_000
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(count)], stdin=subprocess.PIPE)
    assert writer.stdin is not None
    follower, times = Follower(path), []
    while len(times) < 101:
        times += [event.at for event in follower.read()]
    writer.stdin.write(b"go on\n")
    writer.stdin.close()
    ended = False
    while not ended:
        ended = writer.poll() is not None
        times += [event.at for event in follower.read()]
    assert writer.returncode == 0
    assert times == list(map(float, range(count)))
    assert follower.unreadable == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_not_silence() -> None:
    journal = Journal(Path("/dev/full"))
    with pytest.raises(OSError, match="space"):
        journal.append(STARTED)
    journal.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs file size limits")
def test_a_line_that_was_written_in_part_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    script = """
import resource, signal, sys
from pathlib import Path
from gpubench_tui.engine.record.events import LogMessage
from gpubench_tui.engine.text.encoding import encode_json
from gpubench_tui.engine.record.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
journal = Journal(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
journal.append(LogMessage(at=0.0, level="info", text="whole"))
try:
    journal.append(LogMessage(at=1.0, level="info", text="x" * 1000))
except OSError:
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    journal.append(LogMessage(at=2.0, level="info", text="whole again"))
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    follower = Follower(path)
    assert [event.at for event in follower.read()] == [0.0, 2.0]
    assert follower.unreadable == 1


def test_a_rank_that_finished_in_format_1_has_its_figures(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(
        '{"event":"rank finished","at":9.5,"run":"01","rank":1,"steps":40,"samples":640,'
        '"stop_reason":"time limit of 1 s","peak_memory_bytes":[284],"peak_reserved_bytes":[null],'
        '"settled":false,"detail_trouble":"","replicas_equal":true,"allocator_retries":[null]}\n'
    )
    measured = RankMeasured(
        at=9.5,
        run="01",
        rank=1,
        stop_reason="time limit of 1 s",
        peak_memory_bytes=[284],
        peak_reserved_bytes=[None],
        settled=False,
        replicas_equal=True,
        allocator_retries=[None],
    )
    assert list(read_journal(path)) == [
        measured,
        RankFinished(at=9.5, run="01", rank=1, steps=40, samples=640),
    ]


def test_sizes_of_data_have_the_names_that_earlier_versions_gave_them(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    built = next(event for event in EVENTS if isinstance(event, ModelBuilt))
    path.write_text(
        '{"event":"model built","at":1.5,"run":"a","rank":0,"parameters":7,"train_images":640,"test_images":'
        'null,"steps_per_epoch":10}\n'
    )
    (read,) = read_journal(path)
    assert isinstance(read, ModelBuilt)
    assert (read.train_samples, read.test_samples) == (640, None)
    assert b'"train_images":20,"test_images":4' in encode_json(built)
