"""Where a monitor's events come from: a recorded journal in its own time, from any moment."""

from __future__ import annotations

from pathlib import Path

import pytest
from building.recorded import shelve
from gpubench_tui.engine.record.journal import last_moment, read_journal
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.tui.data.feed import ReplayFeed


class Watch:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> SessionFolder:
    return shelve(tmp_path, 2)


def test_events_come_at_their_time_and_speed(folder: SessionFolder) -> None:
    watch = Watch()
    feed = ReplayFeed(folder, 2.0, watch)
    assert {event.at for event in feed.events()} == {0.0}
    watch.now += 60
    assert list(feed.events()) == []
    feed.play()
    watch.now += 1.5
    assert max(event.at for event in feed.events()) <= feed.position == 3.0
    watch.now += 60
    assert feed.position == feed.duration == last_moment(folder.journal)
    list(feed.events())
    assert feed.is_over()


def test_a_pause_and_another_speed_lose_no_time_and_no_event(folder: SessionFolder) -> None:
    watch = Watch()
    feed = ReplayFeed(folder, 1.0, watch)
    feed.play()
    seen = list(feed.events())
    for change in (feed.pause, feed.play, lambda: setattr(feed, "speed", 10.0), feed.pause, feed.pause):
        watch.now += 1
        seen += feed.events()
        change()
    assert feed.position == 2.0 + 10.0
    feed.play()
    watch.now += 1
    seen += feed.events()
    assert seen == list(read_journal(folder.journal))


def test_it_stands_at_another_moment_with_all_up_to_it_due(folder: SessionFolder) -> None:
    watch = Watch()
    feed = ReplayFeed(folder, 5.0, watch)
    feed.play()
    watch.now += 1
    early = list(feed.events())
    feed.pause_at(9.0)
    watch.now += 60
    later = list(feed.events())
    assert feed.position == 9.0
    assert all(5.0 < event.at <= 9.0 for event in later)
    back = feed.rewound()
    assert back.position == 0.0 and back.speed == 5.0
    back.pause_at(9.0)
    assert list(back.events()) == early + later


def test_a_journal_that_is_gone_or_damaged_has_its_end_all_the_same(folder: SessionFolder) -> None:
    with folder.journal.open("a") as file:
        file.write('{"event":"torn')
    assert last_moment(folder.journal) == max(event.at for event in read_journal(folder.journal))
    folder.journal.unlink()
    assert last_moment(folder.journal) == 0.0
    assert ReplayFeed(folder, 1.0).is_over()
