from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.tui.data import start_sessions


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[SessionFolder]]:
    """The sessions that were to be started, which wait in a queue instead."""
    folders: list[SessionFolder] = []
    turns: list[int] = []

    def start(*new: SessionFolder, after: Sequence[SessionFolder] = ()) -> None:
        turns.extend(folder.wait_for_turn(None) for folder in new)
        folders.extend(new)

    monkeypatch.setattr(start_sessions, "start_session", start)
    yield folders
    for turn in turns:
        os.close(turn)
