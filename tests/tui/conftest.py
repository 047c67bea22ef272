from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import recorded
from building.session_process import Starter, start_process
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf


@pytest.fixture(autouse=True)
def no_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person who runs the tests has in their config and state folders is not looked at."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(autouse=True)
def all_colors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app draws as on a terminal of all colours, wherever the tests are run."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def no_session_left(tmp_path: Path) -> Iterator[None]:
    """Kills the sessions that a test leaves behind when it fails, in its folder or in one in that."""
    yield
    for root in (tmp_path, *filter(Path.is_dir, tmp_path.iterdir())):
        for folder in Shelf(root).all():
            if (pid := folder.pid()) is not None:
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def running_session(tmp_path: Path) -> Iterator[Starter]:
    """Starts a pretended session process and returns its folder once it runs."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(gpus: int, until: float) -> SessionFolder:
        folder = Shelf(tmp_path).create("pretended", recorded.plan(gpus), recorded.host(gpus), "")
        processes.append(start_process(folder, gpus, until))
        return folder

    yield start
    for process in processes:
        process.kill()
        process.wait()
