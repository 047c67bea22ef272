"""`sessions --find`, `rename` and `delete`, as they are typed, on recorded sessions."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path

import pytest
from building import recorded
from building.recorded import shelve
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli.commands import delete
from gpubench_tui.tui.cli.main import main


@pytest.fixture
def folders(tmp_path: Path) -> tuple[SessionFolder, SessionFolder]:
    return shelve(tmp_path, 2, name="good"), shelve(tmp_path, 0, name="bad", fail="05")


def names(root: Path) -> set[str]:
    return {folder.name for folder in Shelf(root).all()}


def test_the_list_has_headlines_and_finds_by_text(
    folders: tuple[SessionFolder, SessionFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = (folder.name for folder in folders)
    where = f"--sessions-dir={tmp_path}"
    assert main(["sessions", where]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "    dp on 2 devices is 1.92x as fast as single (efficiency 96.2%); severe: input-bound" in lines
    assert any(line.startswith(bad) and line.endswith(", 1 failed") for line in lines)
    assert main(["sessions", where, "--json", "--find", "H200 no 1.92X"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["sessions", where, "--json", "--find", "bench01 1.92X"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["name"] == good and entry["headline"].startswith("dp on 2 devices is")
    assert main(["sessions", where, "--find", "vit"]) == 0
    assert "matches 'vit'" in capsys.readouterr().out


def test_renaming(
    folders: tuple[SessionFolder, SessionFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = f"--sessions-dir={tmp_path}"
    assert main(["rename", "good", "before-upgrade", where]) == 0
    assert capsys.readouterr().err == f"{folders[0].name} is now before-upgrade\n"
    assert names(tmp_path) == {"before-upgrade", folders[1].name}
    assert main(["report", "before-upgrade", where]) == 0
    assert "Session `before-upgrade`" in capsys.readouterr().out
    assert main(["rename", "bad", "before-upgrade", where]) == 2
    assert "already" in capsys.readouterr().err
    assert main(["rename", "bad", "../bad", where]) == 2
    assert "use up to 100 letters" in capsys.readouterr().err


@pytest.mark.parametrize("journal", [b"", b"\0\xff{[", b'{"type": "SampleD"}\n'])
def test_a_journal_that_says_nothing_makes_no_report(
    journal: bytes,
    folders: tuple[SessionFolder, SessionFolder],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders[0].journal.write_bytes(journal)
    assert main(["report", folders[0].name, f"--sessions-dir={tmp_path}"]) == 2
    captured = capsys.readouterr()
    assert "has recorded nothing that can be read" in captured.err and not captured.out


def test_deleting_needs_a_yes(
    folders: tuple[SessionFolder, SessionFolder],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where = f"--sessions-dir={tmp_path}"
    assert main(["delete", "good", "bad", where]) == 2
    assert "--yes deletes" in capsys.readouterr().err
    monkeypatch.setattr(delete, "on_terminal", lambda: True)
    for answer in ("", "n\n", "\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert main(["delete", "good", where]) == 0
    assert len(names(tmp_path)) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["delete", "good", "good", where]) == 0
    assert names(tmp_path) == {folders[1].name}
    assert main(["delete", "bad", "--yes", where]) == 0
    assert names(tmp_path) == set()


def test_what_runs_is_not_deleted(
    folders: tuple[SessionFolder, SessionFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with folders[0].hold():
        assert main(["delete", "good", "--yes", f"--sessions-dir={tmp_path}"]) == 2
    assert "is running" in capsys.readouterr().err
    assert len(names(tmp_path)) == 2


def test_deleting_all_that_match(
    folders: tuple[SessionFolder, SessionFolder],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where = f"--sessions-dir={tmp_path}"
    good, bad = (folder.name for folder in folders)
    for refused in ([], ["good", "--find", "x"], ["--older-than", "1d", "good"]):
        assert main(["delete", *refused, where]) == 2
    assert main(["delete", "--find", "no such words", where]) == 0
    assert "no session matches" in capsys.readouterr().err
    assert main(["delete", "--find", "1.92x", where]) == 2
    assert f"--yes deletes {good} without asking" in capsys.readouterr().err
    monkeypatch.setattr(time, "time", lambda: 1.8e9 + 29 * 86_400)  # they began at 1.8e9
    assert main(["delete", "--older-than", "30d", "--yes", where]) == 0
    with folders[0].hold():  # what runs is left out
        assert main(["delete", "--find", "1.92x", "--yes", where]) == 0
    assert names(tmp_path) == {good, bad}
    assert main(["delete", "--older-than", "4w", "--find", "1.92x", "--yes", where]) == 0
    assert names(tmp_path) == {bad}
    assert main(["delete", "--older-than", "600h", "--yes", where]) == 0
    assert names(tmp_path) == set()
    with pytest.raises(SystemExit):
        main(["delete", "--older-than", "soon", where])
    assert "is not an age" in capsys.readouterr().err


def test_a_short_text_and_one_line_for_a_message(
    folders: tuple[SessionFolder, SessionFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = f"--sessions-dir={tmp_path}"
    assert main(["report", "good", "--format", "line", where]) == 0
    assert re.fullmatch(
        r"cifar-resnet18 fp32, 2 x H200 dp: [\d,]+ samples/s, 1\.92x one GPU "
        r"\(95%: 1\.\d\dx to 1\.9\dx\), MFU \d+%; input 20%\n",
        capsys.readouterr().out,
    )
    assert main(["report", "good", "--format", "text", where]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0] == "Scaling"
        and "dp on 2 devices is 1.92x as fast as single (efficiency 96.2%); severe: input-bound" in lines
    )
    assert any(line.startswith("severe: ") for line in lines)


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("r.txt", "Scaling\n"),
        ("R.TXT", "Scaling\n"),
        ("r.md", "# "),
        ("r", "# "),
        ("r.json", "{"),
        ("r.svg", "<svg"),
    ],
)
def test_the_ending_of_a_file_chooses_the_format_unless_one_is_named(
    name: str, begins: str, folders: tuple[SessionFolder, SessionFolder], tmp_path: Path
) -> None:
    where, file = f"--sessions-dir={tmp_path}", tmp_path / name
    assert main(["report", "good", "-o", str(file), where]) == 0
    assert file.read_text().startswith(begins)
    assert main(["report", "good", "-o", str(file), "--format", "csv", where]) == 0
    assert file.read_text().startswith("\ufeffrun,")


@pytest.mark.parametrize(("command", "taken"), [("replay", True), ("report", True), ("attach", False)])
def test_where_several_sessions_begin_with_a_word_the_newest_are_named(
    command: str, taken: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = recorded.plan(0)
    named = [Shelf(tmp_path).create(f"quick-{n}", plan, recorded.host(0), "").name for n in range(5)]
    newest = Shelf(tmp_path).create("other", plan, recorded.host(0), "").name
    assert main([command, "quick", f"--sessions-dir={tmp_path}"]) == 2
    said = capsys.readouterr().err
    assert f"5 sessions begin with 'quick', the newest: {', '.join(named[:1:-1])}" in said
    assert named[1] not in said
    assert (f"gpubench-tui {command} without a name takes {newest}" in said) == taken
