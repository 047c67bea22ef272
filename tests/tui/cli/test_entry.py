"""The command in surroundings that few have: streams closed, no home, odd masks, early interrupts."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from building.recorded import shelve
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.shelf import Shelf

COMMAND = f"{sys.executable} -m gpubench_tui.tui.cli"
NO_HOME = "there is no home folder: HOME is "


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Have a shell run a line, in which `gpubench-tui` is the command."""
    line = line.replace("gpubench-tui", COMMAND)
    environment = {**os.environ, **environment}
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=False, env=environment, timeout=120
    )


@pytest.mark.parametrize(
    ("line", "status", "out", "error"),
    [
        ("sessions <&-", 0, "no sessions", ""),
        ("sessions >&-", 0, "", ""),
        ("sessions <&- >&- 2>&-", 0, "", ""),
        ("--version 2>&-", 0, "gpubench-tui ", ""),
        ("report nosuch >&-", 2, "", "no session in"),
        ("report nosuch >&- 2>&-", 2, "", ""),
        ("<&-", 2, "", "this needs a terminal"),
        ("2>&-", 2, "", ""),
        ("delete nosuch <&- >&-", 2, "", "no session in"),
        ("presets >/dev/full", 2, "", "the output cannot be written: No space left on device"),
        ("report nosuch 2>/dev/full", 2, "", ""),
        ("__complete report >&-", 0, "", ""),
    ],
)
def test_closed_and_full_streams_end_nothing(
    line: str, status: int, out: str, error: str, tmp_path: Path
) -> None:
    done = shell(f"gpubench-tui {line}", XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert error in done.stderr and done.stderr.count("\n") == bool(error)
    assert out in done.stdout


HOMELESS = """
import os, pwd, sys
def unknown(*_): raise KeyError("uid not found")
pwd.getpwuid = unknown
from gpubench_tui.tui.cli.entry import main
sys.exit(main())
"""


@pytest.mark.parametrize("home", [None, "relative"])
def test_a_nameless_user_without_home_is_told_so(home: str | None, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment.pop("HOME", None)
    environment |= {} if home is None else {"HOME": home}

    def sessions(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", HOMELESS, "sessions"],
            cwd=tmp_path, env=environment | more, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = sessions()
    assert done.returncode == 2
    assert NO_HOME in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
    places = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    assert sessions(**{name: str(tmp_path / name) for name in places}).returncode == 0


@pytest.mark.parametrize("mask", ["000", "022", "777"])
def test_a_report_is_private_whatever_the_mask(mask: str, tmp_path: Path) -> None:
    folder = shelve(tmp_path / "s", 0)
    line = f"gpubench-tui report {folder.name} --sessions-dir {folder.path.parent} -o {tmp_path}/r.md"
    done = shell(f"umask {mask}; {line}")
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE((tmp_path / "r.md").stat().st_mode) == 0o600


INTERRUPTING = """
import importlib.abc, os, signal, sys
where = sys.argv.pop(1)

def interrupt(): os.kill(os.getpid(), signal.SIGINT)

class AtImport(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        if name == "gpubench_tui." + where:
            interrupt()

if where == "create":
    from gpubench_tui.engine.record import shelf
    create = shelf.Shelf.create
    shelf.Shelf.create = lambda *given: (create(*given), interrupt())[0]
elif where == "start":
    from gpubench_tui.engine.conductor import start
    start_session = start.start_session
    start.start_session = lambda *given: (start_session(*given), interrupt())[0]
else:
    sys.meta_path.insert(0, AtImport())
from gpubench_tui.tui.cli.entry import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    "where",
    ["tui.cli.main", "tui.cli.commands.run", "engine.plan.expand", "engine.host.inspect", "create", "start"],
)
def test_an_interrupt_at_any_moment_of_the_start_leaves_nothing_running(where: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTING, where, "run", "quickstart", "--sessions-dir", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    left = Shelf(tmp_path).all()
    if where != "start":
        assert done.stderr.endswith("gpubench-tui: interrupted\n") and not left
        return
    (folder,) = left
    assert not folder.goes_on()
    assert read_session(folder.journal).outcome == "stopped"
