"""Commands on files whose text would act on a terminal or that no encoding can take, as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from gpubench_tui.engine.text.plain import plain

TITLE = r"Owned \u001b]0;title\u0007 \u009b2J \u202e"
NOT_UTF8 = os.fsdecode(b"caf\xe9\x1b[2J")


def gpubench(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "gpubench_tui.tui.cli", *arguments],
        env=os.environ | paths,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
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
