"""A session full of control characters in a real terminal: all is shown, and nothing acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from building.demo import EVENTS
from building.hostile import ACTS, TITLE, hostile_lines
from building.recorded import session_events
from driving.terminal import Terminal
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.text.plain import plain

pytestmark = pytest.mark.slow

SEQUENCE = re.compile(r"\x1b(\[[0-9;?<>=:]*[ -/]*[@-~]|[78=>]|P[^\x1b]*\x1b\\|\][^\x07\x1b]*(\x07|\x1b\\))")
"""Sequence that a terminal obeys."""


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Terminal]:
    for name, events in {"first": EVENTS, "second": session_events(2, fail="02")}.items():
        folder = SessionFolder(tmp_path / name)
        folder.path.mkdir()
        folder.journal.write_bytes(hostile_lines(events))
    terminal = Terminal("replay", "second", "--speed=2", f"--sessions-dir={tmp_path}", size=(120, 40))
    yield terminal
    terminal.kill()


def test_a_hostile_session_is_shown_and_obeyed_nowhere(replay: Terminal) -> None:
    escaped = plain(ACTS)[:20]
    replay.read_until("replay", "Pause", escaped)
    replay.press("t")
    replay.read_until("Diagnos", escaped)
    replay.press("o")
    replay.read_until("Sessions  2", "2 of 5, 1 failed", escaped)
    assert any("finished" in line and "second" in line for line in replay.screen().splitlines())
    replay.press(" ")
    replay.read_until("1 selected")
    replay.press(" ")
    replay.read_until("2 selected")
    replay.press("c")
    replay.read_until("B is", escaped)
    sent = replay.output[: replay.output.rindex(b"\x1b")].decode()  # the last sequence may not be whole yet
    assert not re.search(rf"\x1b\]\d*;{TITLE}|\x1b\[66;66H|\x1bc", sent)
    rest = SEQUENCE.sub("", sent).replace("\r", "").replace("\x07", "")
    assert plain(rest) == rest
    assert plain(replay.screen()) == replay.screen()
