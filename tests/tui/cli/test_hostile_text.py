"""Commands on files whose text would act on a terminal or that no encoding can take, as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from gpubench_tui.engine.text.plain import plain

pytestmark = pytest.mark.slow

TITLE = r"Owned \u001b]0;title\u0007 \u009b2J \u202e"
NOT_UTF8 = os.fsdecode(b"caf\xe9\x1b[2J")


def gpubench(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    paths = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "gpubench_tui.tui.cli", *arguments],
        env=os.environ | paths | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder whose name is not UTF-8, with a preset and a config file that are hostile."""
    folder = tmp_path / NOT_UTF8
    presets = folder / "gpubench-tui" / "presets"
    presets.mkdir(parents=True)
    good = f'title = "{TITLE}"\nquestion = "q"\n[matrix]\nmodes = ["single"]\n'
    (presets / f"{NOT_UTF8}.toml").write_text(good)
    (presets / "wrong.toml").write_text(good.replace("single", r"\u001b[2J"))
    (folder / "gpubench-tui" / "config.toml").write_text('"\\u001b[2J" = 1\n')
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ("presets",),
        ("presets", "--json"),
        ("doctor",),
        ("sessions",),
        ("report", NOT_UTF8),
        ("run", NOT_UTF8, "--headless", "--set=measure.repeats=\x1b"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_shows_what_files_say_and_obeys_nothing(home: Path, arguments: tuple[str, ...]) -> None:
    done = gpubench(home, *arguments)
    assert "Traceback" not in done.stderr
    assert plain(done.stdout) == done.stdout and plain(done.stderr) == done.stderr
    assert r"\x1b[2J" in done.stderr, "the mistake in the config file"


def test_the_listing_of_presets_as_json_means_what_the_files_say(home: Path) -> None:
    done = gpubench(home, "presets", "--json")
    assert done.returncode == 0, done.stderr
    listed = {preset["name"]: preset for preset in json.loads(done.stdout)}
    assert listed["caf\\xe9\x1b[2J"]["title"] == json.loads(f'"{TITLE}"')
    assert "error" in listed["wrong"]


MODEL = r"""
from torch import nn

class Odd(nn.Module):
    def __init__(self, classes):
        super().__init__()
        print("a class of \udcff \x1b[2J")
        raise ValueError("no layer \udcff \x1b]0;title\x07")

def net(classes):
    return Odd(classes)
"""


def test_a_session_runs_in_folders_that_are_not_utf8(home: Path) -> None:
    short = ("window_seconds=0.05", "windows=2", "seconds=0.1", "detail=0")
    options = ["--set=workload.images=200", "--set=workload.batch=8", "--set=workload.model=lenet"]
    options += [f"--set=measure.{option}" for option in short]
    with tempfile.TemporaryDirectory(dir="/tmp") as parent:  # sockets need a short path
        temporary = Path(parent, NOT_UTF8)
        temporary.mkdir()
        done = gpubench(home, "run", "quickstart", "--headless", *options, TMPDIR=str(temporary))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ddp x2: measured" in done.stderr
    assert plain(done.stdout) == done.stdout and plain(done.stderr) == done.stderr


def test_a_model_may_print_and_raise_anything(home: Path, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(MODEL)
    own = [f"--set=workload.model={tmp_path / 'net.py'}:net", "--set=matrix.modes=['single']"]
    done = gpubench(home, "run", "quickstart", "--headless", "--set=workload.images=200", *own)
    assert done.returncode == 1
    assert r"ValueError: no layer \xff \x1b]0;title\x07" in done.stderr
    assert plain(done.stdout) == done.stdout and plain(done.stderr) == done.stderr
    for form in ("md", "json", "csv", "svg"):
        report = gpubench(home, "report", f"--format={form}")
        assert report.returncode == 0, report.stderr
        assert "no layer" in report.stdout
        assert plain(report.stdout) == report.stdout
