"""Sessions at a glance: what the list says without reading all, and what it keeps."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from building.sessions import HOST, failed, measured, opening, spec, steps
from building.tunes import gone_on, opened, out_of_memory
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.sessions.overview import SessionOverview, ShelfOverview
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.record.events import (
    Event,
    RunFinished,
    RunsAdded,
    RunStarted,
    SessionFinished,
    SessionStarted,
)
from gpubench_tui.engine.record.journal import Journal, read_journal
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from msgspec.structs import replace

SINGLE, DDP = spec("single", "single"), spec("ddp", "ddp", 2, baseline="single")
STEADY = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98]
SPECS = (SINGLE, DDP, spec("skipped", "fsdp", 8, skip="not enough devices"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "sessions")


def whole() -> list[Event]:
    return [
        *opening(*SPECS),
        *(steps("single", 0, 10 * i, [0.1] * 10) for i in range(100)),
        *measured("single", [STEADY]),
        *measured("ddp", [STEADY, STEADY]),
        SessionFinished(at=60.0, outcome="finished"),
    ]


def shelve(shelf: Shelf, events: list[Event], name: str = "mine") -> SessionFolder:
    started = events[0]
    assert isinstance(started, SessionStarted)
    folder = shelf.create(name, started.plan, HOST, "")
    record(folder, *events)
    return folder


def record(folder: SessionFolder, *events: Event) -> None:
    journal = Journal(folder.journal)
    for event in events:
        journal.append(event)
    journal.close()


def seen(shelf: Shelf) -> SessionOverview:
    (entry,) = ShelfOverview(shelf).read()
    return entry


def worked_out(shelf: Shelf) -> SessionOverview:
    overview = ShelfOverview(shelf)
    (entry,) = (overview.complete(entry.name) for entry in overview.read())
    assert entry is not None
    return entry


def test_at_a_glance_what_a_whole_fold_would_say(shelf: Shelf) -> None:
    folder = shelve(shelf, whole())
    entry = seen(shelf)
    assert (entry.name, entry.preset, entry.title, entry.host) == (folder.name, "demo", "A demo", "bench")
    assert (entry.runs, entry.measured, entry.failed, entry.state) == (3, 2, 0, "finished")
    assert (entry.program, entry.unix_time, entry.current) == ("0.1.0", 1.7e9, "")
    assert entry.hardware.startswith("bench: 2 CPU shares")
    assert entry.headline is None
    assert worked_out(shelf).headline == analyse(read_session(folder.journal)).headline


def test_runs_that_are_added_meanwhile_count(shelf: Shelf) -> None:
    added = [spec(f"added-{number}", "single") for number in range(2)]
    events = [*opening(SINGLE), *measured("single", [STEADY]), RunsAdded(at=20.0, runs=tuple(added))]
    folder = shelve(shelf, [*events, *measured("added-0", [STEADY])])
    with folder.hold():
        overview = ShelfOverview(shelf)
        (entry,) = overview.read()
        assert (entry.runs, entry.measured, entry.current) == (3, 2, "")
        more = spec("more", "ddp", 2)
        record(folder, RunsAdded(at=40.0, runs=(more,)), RunStarted(at=41.0, run=more.id))
        (entry,) = overview.read()
        assert (entry.runs, entry.measured, entry.current) == (4, 2, more.label)


def test_a_batch_that_a_tune_finds_too_large_is_no_failure(shelf: Shelf) -> None:
    def rate(run: RunSpec) -> float:
        if run.workload.batch > 128:
            raise out_of_memory(run.workload.batch)
        return 1000.0

    shelve(shelf, gone_on(opened(allow=("recipe",)), rate))
    entry = seen(shelf)
    assert (entry.failed, entry.state) == (0, "finished") and entry.measured < entry.runs


def test_a_session_where_all_failed_says_so(shelf: Shelf) -> None:
    shelve(shelf, [*opening(SINGLE), *failed("single"), SessionFinished(at=60.0, outcome="finished")])
    entry = worked_out(shelf)
    assert (entry.state, entry.measured, entry.failed) == ("finished", 0, 1)
    assert entry.headline == "Failed: out of luck"
    assert entry.shown_state == "failed"


def test_what_goes_on_is_read_on(shelf: Shelf) -> None:
    folder = shelve(shelf, opening(*SPECS))
    overview = ShelfOverview(shelf)
    with folder.hold():
        (entry,) = overview.read()
        assert (entry.state, entry.measured, entry.current) == ("running", 0, "")
        record(folder, RunStarted(at=1.0, run="single"))
        (entry,) = overview.read()
        assert (entry.state, entry.current) == ("running", "single x1")
        assert overview.complete(folder.name) == replace(entry, headline="")
        record(folder, *measured("single", [STEADY]))
        (entry,) = overview.read()
        assert (entry.state, entry.measured, entry.current) == ("running", 1, "")
    (entry,) = overview.read()
    assert entry.state == "interrupted"
    record(folder, SessionFinished(at=3.0, outcome="stopped"))
    (entry,) = overview.read()
    assert entry.state == "stopped"


def test_a_journal_cut_off_is_still_listed(shelf: Shelf) -> None:
    folder = shelve(shelf, [*opening(SINGLE), RunFinished(at=2.0, run="single", outcome="measured")])
    content = folder.journal.read_bytes()
    for length in (0, 1, len(content) // 2, len(content) - 1, len(content)):
        folder.journal.write_bytes(content[:length])
        entry = worked_out(shelf)
        assert (entry.state, entry.runs, entry.preset) == ("interrupted", 1, "demo")
        assert entry.measured == (length == len(content))


def test_a_session_that_left_nothing_readable_is_not_listed(shelf: Shelf) -> None:
    folder = shelve(shelf, whole()[:1])
    folder.journal.unlink()
    folder.plan.write_bytes(b"\x00\xff")
    assert list(ShelfOverview(shelf).read()) == []


def test_a_headline_is_kept_and_its_journal_not_read_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shelve(shelf, whole())
    entry = worked_out(shelf)
    assert stat.S_IMODE(folder.summary.stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.path.iterdir() if path.name.startswith("summary")) == [
        "summary.json"
    ]

    def refuse(_path: Path) -> Iterator[Event]:
        raise AssertionError("the journal was read")

    with monkeypatch.context() as patched:
        patched.setattr("gpubench_tui.engine.record.journal.Follower.events", refuse)
        assert worked_out(shelf) == entry
        renamed = shelf.rename(folder, "renamed")
        assert worked_out(shelf).name == "renamed"
    assert worked_out(shelf).path == str(renamed.path)


@pytest.mark.parametrize("how", ["the journal grew", "it is damaged", "another version wrote it"])
def test_what_was_kept_gives_way_to_the_journal(shelf: Shelf, how: str) -> None:
    folder = shelve(shelf, whole())
    entry = worked_out(shelf)
    kept = json.loads(folder.summary.read_bytes())
    kept["entry"]["headline"] = "out of date"
    folder.summary.write_text(json.dumps(kept))
    assert worked_out(shelf).headline == "out of date"
    if how == "the journal grew":
        os.utime(folder.journal)
    elif how == "it is damaged":
        folder.summary.write_text("{")
    else:
        folder.summary.write_text(json.dumps({**kept, "version": "0.0.1"}))
    assert worked_out(shelf) == entry


def test_a_session_that_only_begins_is_never_taken_for_one_that_ended(shelf: Shelf) -> None:
    folder = shelve(shelf, whole()[:1])
    folder.journal.unlink()
    overview = ShelfOverview(shelf)
    (entry,) = overview.read()
    assert overview.complete(entry.name) is not None
    assert not folder.summary.exists()
    with folder.hold():
        record(folder, *opening(*SPECS))
        (entry,) = overview.read()
        assert (entry.state, entry.program) == ("running", "0.1.0")


def test_another_session_of_the_same_name_is_another_one(shelf: Shelf) -> None:
    first = shelve(shelf, whole(), "first")
    second = shelve(shelf, [*opening(SINGLE), *failed("single")], "second")
    overview = ShelfOverview(shelf)
    assert len(list(overview.read())) == 2
    shelf.delete(first)
    shelf.rename(second, first.name)
    (entry,) = overview.read()
    assert (entry.name, entry.failed) == (first.name, 1)


def test_a_shelf_that_has_not_changed_is_not_listed_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shelve(shelf, whole())
    os.utime(shelf.root, (1.0, 1.0))
    overview = ShelfOverview(shelf)
    before = list(overview.read())

    def refuse(_shelf: Shelf) -> list[SessionFolder]:
        raise AssertionError("the shelf was listed")

    with monkeypatch.context() as patched:
        patched.setattr(Shelf, "all", refuse)
        assert list(overview.read()) == before
    begun = shelf.root / "begun"
    begun.mkdir()
    assert list(overview.read()) == before
    (begun / "plan.json").write_bytes(first.plan.read_bytes())
    assert len(list(overview.read())) == 2, "its plan comes a moment after its folder"


def test_passing_over_what_fills_a_journal_changes_no_headline(shelf: Shelf) -> None:
    folder = shelve(shelf, whole())
    assert len(list(read_journal(folder.journal))) > 100
    assert worked_out(shelf).headline == analyse(read_session(folder.journal)).headline != ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", True),
        ("MINE", True),
        ("demo bench", True),
        ("finished ddp 2 devices", True),
        ("failed", False),
        ("vit", False),
        ("demo vit", False),
    ],
)
def test_finding_by_text(shelf: Shelf, text: str, found: bool) -> None:
    shelve(shelf, whole())
    assert worked_out(shelf).matches(text) is found
