"""One bad file of many is told in a sentence and hides none of the others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from building.demo import EVENTS
from building.sessions import HOST
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.export import FORMATS, render
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.preset.errors import PresetError
from gpubench_tui.engine.plan.preset.library import PresetFile
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.engine.text.encoding import encode_json
from gpubench_tui.tui.cli.content.listing import preset_listing, session_listing
from gpubench_tui.tui.config import read_config

PRESET = 'title = "t"\nquestion = "q"\nmatrix.modes = ["single"]\n'
LONG = "x" * 5000

BAD_PRESETS = {
    "deep": PRESET + "a = " + "[" * 50_000,
    "digits": PRESET + "[workload]\nbatch = " + "9" * 5000,
    "wide": PRESET + "[workload]\nseed = " + "9" * 400,
    "user": PRESET + '[workload]\nmodel = "~nosuchuser/net.py:net"\n',
    "data-user": PRESET + '[workload]\ndata = "folder"\ndata_dir = "~nosuchuser"\n',
    "long-model": PRESET + f'[workload]\nmodel = "/{LONG}.py:net"\n',
    "long-data": PRESET + f'[workload]\ndata = "folder"\ndata_dir = "/{LONG}"\n',
    "long-key": PRESET + f"{LONG} = 1\n",
    "repeats": PRESET + "[measure]\nrepeats = 10000000\n",
    "many-repeats": PRESET + f"matrix.batches = {list(range(1, 20))}\nmeasure.repeats = 1000\n",
    "devices": PRESET.replace("single", "concurrent") + "matrix.devices = [1000000000]\n",
    "matrix": PRESET + f"matrix.batches = {list(range(1, 20_000))}\n",
    "not-utf8": b'title = "caf\xe9"\n',
}


def presets(home: Path) -> Path:
    folder = home / "gpubench-tui" / "presets"
    folder.mkdir(parents=True)
    for name, text in BAD_PRESETS.items():
        (folder / f"{name}.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    os.mkfifo(folder / "fifo.toml")
    (folder / "device.toml").symlink_to("/dev/zero")
    (folder / "folder.toml").mkdir()
    (folder / "dangling.toml").symlink_to("nowhere")
    (folder / "good.toml").write_text(PRESET)
    return folder


def test_bad_presets_hide_no_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = presets(tmp_path)
    listed = {preset["name"]: preset for preset in preset_listing(HOST, (), Shelf(tmp_path)).data}
    assert "error" not in listed["good"] and "error" not in listed["quickstart"]
    for path in folder.iterdir():
        if path.stem != "good":
            error = listed[path.stem]["error"]
            assert "\n" not in error and len(error) < 1100, path.stem
    assert "at most" in listed["repeats"]["error"]
    assert "a plan has 10,000 at most" in listed["many-repeats"]["error"]


@pytest.mark.parametrize("name", BAD_PRESETS)
def test_a_bad_preset_is_told_in_one_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / "preset.toml"
    text = BAD_PRESETS[name]
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(PresetError):
        make_plan(name, PresetFile(name, path, own=True).read(), HOST)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        "ascii = " + "9" * 5000,
        f"theme = '{LONG}'",
        f"{LONG} = 1",
        "[keys]\n" + "a." * 500 + "b = 'x'",
    ],
    ids=lambda text: text[:9],
)
def test_a_bad_config_is_told_in_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    (problem,) = read_config(path).problems
    assert problem.startswith(str(path)) and len(problem) < 1000


def test_a_config_that_is_no_file_does_not_stop_the_app(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.toml")
    (problem,) = read_config(tmp_path / "config.toml").problems
    assert "not a regular file" in problem
    (tmp_path / "user.toml").write_text("sessions_dir = '~nosuchuser/x'")
    assert read_config(tmp_path / "user.toml").sessions_dir == Path("~nosuchuser/x")


PARTS = ("journal", "lock", "turn", "next", "summary")
Lines = list[dict[str, Any]]


def journal(folder: SessionFolder, lines: Lines) -> None:
    folder.path.mkdir()
    folder.journal.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def changed(change: Callable[[Lines], object]) -> Lines:
    lines: Lines = [json.loads(encode_json(event)) for event in EVENTS]
    change(lines)
    return lines


def each(event: str, key: str, value: object) -> Callable[[Lines], object]:
    return lambda lines: [line.update({key: value}) for line in lines if line["event"] == event]


ABSURD: dict[str, Callable[[Lines], object]] = {
    "future": each("session started", "unix_time", 1e300),
    "past": each("session started", "unix_time", -1e300),
    "late": each("window", "at", 1e300),
    "huge-count": each("window", "samples", 10**400),
    "long-count": each("model built", "parameters", 10**4000),
    "no-steps": each("window", "steps", 0),
    "no-time": each("window", "seconds", 0),
    "endless": each("window", "seconds", 1e300),
    "twice": lambda lines: lines[0]["plan"]["runs"].extend(lines[0]["plan"]["runs"]),
    "no-runs": lambda lines: lines[0]["plan"]["runs"].clear(),
    "no-devices": lambda lines: lines[0]["plan"]["devices"].clear(),
    "no-baseline": lambda lines: [run.update(baseline="none") for run in lines[0]["plan"]["runs"]],
    "backwards": lambda lines: lines.reverse(),
    "repeated": lambda lines: lines.extend(list(lines)),
    "ranks": each("window", "rank", 2**62),
}
NO_PLAN: dict[str, Callable[[Lines], object]] = {
    "no-workloads": lambda lines: lines[0]["plan"]["runs"][0]["workloads"].clear(),
    "zero-devices": lambda lines: lines[0]["plan"]["runs"][0].update(device_count=0),
    "nothing": lambda lines: lines.clear(),
}


@pytest.mark.parametrize("name", ABSURD | NO_PLAN)
def test_absurd_values_in_a_journal_do_not_end_a_report(name: str, tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / name)
    journal(folder, changed((ABSURD | NO_PLAN)[name]))
    analysis = analyse(read_session(folder.journal))
    for form in FORMATS:
        assert render(analysis, form)


def test_bad_sessions_hide_no_good_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for name, change in (ABSURD | NO_PLAN | {"good": lambda _: None}).items():
        journal(SessionFolder(tmp_path / name), changed(change))
    good = SessionFolder(tmp_path / "good")
    for name in PARTS:
        folder = SessionFolder(tmp_path / f"fifo-{name}")
        journal(folder, changed(lambda _: None))
        path: Path = getattr(folder, name)
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        folder.plan.write_bytes(encode_json({"plan": EVENTS[0].plan, "host": EVENTS[0].host}))  # type: ignore[union-attr]
        assert folder.pid() is None and folder.next_in_queue() is None
    for name, content in {"deep": b"[" * 100_000, "binary": bytes(range(256)), "empty": b""}.items():
        for part in ("plan", "summary", "lock"):
            folder = SessionFolder(tmp_path / f"{name}-{part}")
            journal(folder, [] if part == "plan" else changed(lambda _: None))
            getattr(folder, part).write_bytes(content)
    os.mkfifo(tmp_path / "fifo")
    listing = session_listing(shelf)
    names = {entry["name"] for entry in listing.data}
    assert names >= {*ABSURD, good.name, *(f"fifo-{part}" for part in PARTS)}
    for name in (*NO_PLAN, "deep-plan", "binary-plan", "empty-plan"):
        said = f"{name}: neither its journal nor its plan can be read (plan.json: "
        assert name in names or any(line.startswith(said) for line in listing.text.splitlines())
