"""`init`: a file that runs as it is, and that nothing overwrites."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from gpubench_tui.tui.cli.completion import FILES, candidates
from gpubench_tui.tui.cli.main import _parser, main


def gpubench(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "gpubench_tui.tui.cli", *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)


def test_init_writes_a_file_and_prints_how_to_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "my net.py"]) == 0
    assert capsys.readouterr().out == "gpubench-tui run 'my net.py'\n"
    written = (tmp_path / "my net.py").read_text()
    assert "gpubench-tui run my net.py" in written
    compile(written, "my net.py", "exec")
    for file, problem in (
        ("my net.py", "exists already"),
        ("net.txt", "ends in .py"),
        ("none/net.py", "cannot be written: No such file"),
    ):
        assert main(["init", file]) == 2
        assert problem in capsys.readouterr().err
    assert (tmp_path / "my net.py").read_text() == written
    assert [path.name for path in tmp_path.iterdir()] == ["my net.py"]


def test_a_file_is_completed() -> None:
    assert [each.word for each in candidates(_parser(), ["init", ""])] == [FILES]
    assert [each.word for each in candidates(_parser(), ["run", "./"])] == [FILES]


@pytest.mark.slow
@pytest.mark.usefixtures("no_session_left")
def test_the_file_runs_as_it_is(tmp_path: Path) -> None:
    """By epochs, in two processes, in the unit that it names and with the score that it gives."""
    file = tmp_path / "first.py"
    assert main(["init", str(file)]) == 0
    keys = ("measure.epochs=1", "measure.detail=1", 'matrix.modes=["ddp"]', "workload.arguments.depth=1")
    done = gpubench(
        *("run", str(file), "--headless", f"--sessions-dir={tmp_path / 'sessions'}"),
        *(f"--output={tmp_path / 'report.md'}", *(f"--set={key}" for key in keys)),
    )
    assert done.returncode == 0, done.stderr
    assert "sequences/s" in done.stdout and "samples/s" not in done.stdout
    assert "first.py (depth = 1)" in done.stdout
    report = (tmp_path / "report.md").read_text()
    assert "sequences/s" in report and "samples/s" not in report
    assert "test accuracy" in report
