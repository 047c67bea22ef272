"""The progress of sessions that are followed."""

from __future__ import annotations

from pathlib import Path

import pytest
from building.recorded import shelve
from gpubench_tui.tui.data import session_watch


def test_what_was_shown_as_done_stays_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([6.0, 60.0, None, 2.0])
    monkeypatch.setattr(session_watch, "session_seconds_left", lambda _: next(left))
    followed = session_watch._Followed(shelve(tmp_path, 2, until=6.0), None)
    followed.read()
    shown = [followed.progress().percent for _ in range(4)]
    assert shown[0] is not None and 0 < shown[0] < 60
    assert shown[1] == shown[0], "an estimate that grows takes nothing back"
    assert shown[2] is None and shown[3] is not None and shown[3] > shown[0]
