"""`--notify`: a command of the user's at the end of a session, and all that may be wrong with it."""

from __future__ import annotations

import json
import shlex
import stat
import sys
from pathlib import Path

import pytest
from building import recorded
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli import notice, progress
from gpubench_tui.tui.cli.main import main


@pytest.fixture(autouse=True)
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure sessions as soon as they are started."""
    made = recorded.shelve(tmp_path / "recorded", 0).journal.read_bytes()

    def follow(folder: SessionFolder, start: object) -> int:
        folder.turn.unlink()
        folder.journal.write_bytes(made)
        return 0

    monkeypatch.setattr(progress, "follow", follow)


def script(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "told me.sh"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def run(tmp_path: Path, command: str) -> int:
    return main(
        [
            "run",
            "quickstart",
            "--headless",
            f"--sessions-dir={tmp_path / 'all'}",
            "--name=it",
            "--notify",
            command,
        ]
    )


def test_the_command_gets_its_own_words_and_three_more(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    program = "import json, sys; json.dump(sys.argv[1:], open(sys.argv[1], 'w'))"
    assert run(tmp_path, shlex.join([sys.executable, "-c", program, str(told), "$(touch no-shell)"])) == 0
    (folder,) = Shelf(tmp_path / "all").all()
    _, own, name, outcome, headline = json.loads(told.read_text())
    assert (own, name, outcome) == ("$(touch no-shell)", folder.name, "finished")
    assert headline.startswith("ddp on 2 devices is ") and "\n" not in headline


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("exit 3", "told me.sh failed with status 3"),
        ("sleep 60", "told me.sh took longer than 0 s and was ended"),
        ('rm -f "$0"', ""),
    ],
)
def test_whatever_it_does_the_status_stays_and_a_failure_is_one_sentence(
    body: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if "longer" in said:
        monkeypatch.setattr(notice, "PATIENCE_SECONDS", 0.05)
    assert run(tmp_path, f"'{script(tmp_path, body)}'") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "--notify" in line]
    assert len(lines) == bool(said) and all(line.endswith(said) for line in lines)


def test_one_that_is_gone_by_the_end_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = script(tmp_path, "exit 0")
    follow = progress.follow

    def follow_and_lose(folder: SessionFolder, start: object) -> int:
        path.unlink()
        return follow(folder, start)  # type: ignore[arg-type]

    monkeypatch.setattr(progress, "follow", follow_and_lose)
    assert run(tmp_path, f"'{path}'") == 0
    assert f"{path} could not be started: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program --now", "there is no command 'no-such-program' that can be started"),
        ("", "it names no command"),
        ("echo 'half", "it cannot be split into words: No closing quotation"),
    ],
)
def test_what_cannot_be_started_is_refused_before_anything_is_measured(
    command: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, command) == 2
    assert said in capsys.readouterr().err
    assert not Shelf(tmp_path / "all").all()
