"""Sessions on the screens whose files are not what they should be, or whose text is hostile."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from building.demo import EVENTS
from building.recorded import shelve
from driving.app import screen_text, wait_for_text, watching
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.text.encoding import encode_json
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.requests import ShowSessions

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("speed", [None, 1.0], ids=["live", "replay"])
async def test_a_journal_that_is_no_file_is_told_on_the_screen(speed: float | None, tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "odd")
    folder.path.mkdir()
    os.mkfifo(folder.journal)
    app = watching(folder, speed)
    async with app.run_test(size=(120, 30)) as pilot:
        await wait_for_text(pilot, "not a regular file")


async def test_text_of_a_session_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "odd")
    folder.path.mkdir()
    hostile = json.dumps("hostile \x1b[2J\x9b")[1:-1]
    lines = b"".join(encode_json(event) + b"\n" for event in EVENTS).decode()
    lines = lines.replace("GPU 3 was lost", hostile).replace("A demo", hostile)
    folder.journal.write_text(lines)
    app = watching(folder, 1e6)
    async with app.run_test(size=(160, 50)) as pilot:
        await wait_for_text(pilot, r"hostile \x1b[2J\x9b")
        assert screen_text(app).replace("\n", "").isprintable()


async def test_sessions_that_cannot_be_read_are_listed_with_the_reason(tmp_path: Path) -> None:
    good = shelve(tmp_path, 2, name="good")
    for name, content in {"torn": b"{", "blank": b""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_bytes(content)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        app.post_message(ShowSessions())
        shown = await wait_for_text(pilot, "Sessions  1  2 unreadable", good.name)
        for name in ("torn", "blank"):
            (line,) = (line for line in shown.splitlines() if line.strip().startswith(name))
            assert "neither its journal nor its plan can be read (plan.json: " in line
        await pilot.press("end", "enter")
        await wait_for_text(pilot, "can be read (plan.json: Input data was truncated).")
        await pilot.press("x", "y")
        await wait_for_text(pilot, "Sessions  1  1 unreadable")
        await pilot.press("slash", *"torn", "enter")
        await wait_for_text(pilot, "Sessions  0 of 1")
