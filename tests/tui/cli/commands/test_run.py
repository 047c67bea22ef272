"""`run` beside other sessions, and `run --resume`: refusals, waiting and what is printed, without ranks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import recorded
from gpubench_tui.engine.conductor import same_machine
from gpubench_tui.engine.conductor.start import start_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli import progress
from gpubench_tui.tui.cli.main import main


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionFolder]:
    """A session on the CPU's cores that this process holds."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = Shelf(tmp_path / "all").create("first", recorded.plan(0), recorded.host(0), "")
    with folder.hold():
        yield folder


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sessions that were created and would be started, which is as far as they get."""
    names: list[str] = []

    def follow(folder: SessionFolder, start: object) -> int:
        names.append(folder.name)
        return 0

    monkeypatch.setattr(progress, "follow", follow)
    return names


def run(folder: SessionFolder, *options: str) -> int:
    return main(["run", *options, "--headless", "--sessions-dir", str(folder.path.parent)])


def test_devices_in_use_are_refused_with_the_sessions_name_unless_told_otherwise(
    running: SessionFolder, followed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(running, "quickstart") == 2
    said = capsys.readouterr().err
    assert f"{running.name} uses the CPU's cores" in said and "--wait" in said and "--anyway" in said
    assert len(Shelf(running.path.parent).all()) == 1, "no half session is left"
    assert run(running, "quickstart", "--wait", "--name=second") == 0
    assert f"waiting for {running.name}; Ctrl+C gives up" in capsys.readouterr().err
    assert run(running, "quickstart", "--anyway", "--name=third") == 0
    assert f"warning: {running.name} is running" in capsys.readouterr().err
    assert [name.partition("-")[0] for name in followed] == ["second", "third"]


def test_varied_values_become_runs_and_errors_name_what_was_typed(
    tmp_path: Path, followed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--headless", "--sessions-dir", str(tmp_path)]
    vary = ["--vary", "precision=fp32,bf16", "--vary=compile=true,false", "--set", "matrix.modes=['single']"]
    assert main(["run", "quickstart", *vary, *options]) == 0
    (folder,) = Shelf(tmp_path).all()
    made = folder.request().plan
    assert [spec.varied for spec in made.runs] == [
        {"precision": precision, "compile": compiled}
        for precision in ("fp32", "bf16")
        for compiled in (True, False)
    ]
    assert made.changes["matrix.vary.precision"] == '["fp32", "bf16"]'
    assert main(["run", "quickstart", "--vary=precision=fp32,fp8", *options]) == 2
    assert "--vary precision=fp32,fp8: 'fp8' is not known here; allowed: " in capsys.readouterr().err


def test_a_wait_ends_with_ctrl_c(running: SessionFolder, capsys: pytest.CaptureFixture[str]) -> None:
    def start(folder: SessionFolder) -> object:
        process = start_session(folder, after=[running])
        os.kill(os.getpid(), 2)
        return process

    folder = Shelf(running.path.parent).create("second", recorded.plan(0), recorded.host(0), "")
    assert progress.follow(folder, start) == 130
    assert not folder.goes_on() and "removed from the queue" in capsys.readouterr().err


def test_what_cannot_be_resumed_is_a_sentence(
    running: SessionFolder,
    followed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: recorded.host(2))
    assert run(running, f"--resume={running.name}") == 2
    assert "is running: it can be resumed once it has ended" in capsys.readouterr().err
    assert run(running, f"--resume={running.name}", "quickstart") == 2
    assert "leave out PRESET, --set, --vary and --gpus" in capsys.readouterr().err
    assert run(running) == 2
    assert "nothing to run: name a PRESET, or --resume SESSION" in capsys.readouterr().err
    whole = recorded.shelve(running.path.parent, 2)
    assert run(running, f"--resume={whole.name}") == 0
    assert f"nothing to measure: all runs of {whole.name} were measured" in capsys.readouterr().err
    assert followed == []
