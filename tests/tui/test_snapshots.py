"""Every screen as it looks, in three sizes, from recorded sessions: see driving/snapshots.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import recorded
from building.long_tunes import long_tune, shelve_events
from building.trials import shelve_slow_input, shelve_trial
from driving.app import wait_for_text, watching
from driving.snapshots import SIZES, check, check_colors, check_none_is_left, check_sizes
from gpubench_tui.engine.host import cpu_meter, findings
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.data import planned_presets
from gpubench_tui.tui.requests import ShowComparison, ShowResults, ShowSessions
from nvml_standin import Machine, build
from textual.pilot import Pilot
from textual.widgets import Input

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("snapshots")]

GPUS = [0, 2, 8, 16]
RUN: set[str] = set()
"""Names of the tests of this module that have run: all in one process, as a group."""


@pytest.fixture(autouse=True)
def noted(request: pytest.FixtureRequest) -> None:
    RUN.add(request.function.__name__)


@pytest.fixture(autouse=True)
def the_same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same folder, time zone, terminal and machine wherever the tests run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planned_presets, "inspect_host", lambda gpus: recorded.host(0))
    monkeypatch.setattr(cpu_meter.CpuMeter, "sample", lambda _: recorded.cpu_sample())
    monkeypatch.setattr(findings, "_resources", lambda *_: iter(()))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shelved(name: str, gpus: int, age: int = 0, **how: object) -> SessionFolder:
    """A recorded session under a name without its time of day, in the folder `sessions`."""
    folder = recorded.shelve(Path("sessions"), gpus, **how)  # type: ignore[arg-type]
    folder = SessionFolder(folder.path.rename(folder.path.with_name(name)))
    os.utime(folder.plan, (1.8e9 - age, 1.8e9 - age))
    return folder


def named(folder: SessionFolder, name: str) -> SessionFolder:
    """The session's folder under a name without its time of day."""
    return SessionFolder(folder.path.rename(folder.path.with_name(name)))


@pytest.mark.parametrize("gpus", GPUS)
async def test_the_monitor(gpus: int) -> None:
    folder = shelved("scaling", gpus, until=6.7)
    with folder.hold():
        app = watching(folder)
        async with app.run_test() as pilot:
            await check_sizes(pilot, f"monitor-{gpus}gpus", "running", "▶ d")


@pytest.mark.parametrize("gpus", [2, 16])
async def test_the_gpus_in_full(gpus: int) -> None:
    folder = shelved("scaling", gpus, until=6.7)
    with folder.hold():
        app = watching(folder)
        async with app.run_test(size=SIZES[1]) as pilot:
            await wait_for_text(pilot, "running", "✓ single x1")
            app.screen.query_one("#devices").focus()
            await pilot.press("z")
            await check_sizes(pilot, f"gpus-in-full-{gpus}", "PID" if gpus == 2 else "15 lost: no longer")


@pytest.mark.parametrize("gpus", GPUS)
async def test_the_results(gpus: int) -> None:
    app = watching(shelved("scaling", gpus))
    async with app.run_test() as pilot:
        await check_sizes(pilot, f"results-{gpus}gpus", "Diagnosis", "Results")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in for NVIDIA's driver library."""
    return build(tmp_path_factory.mktemp("driver"))


@pytest.mark.parametrize("gpus", GPUS[1:])
def test_the_launch_screen_with_gpus(gpus: int, driver: Path, tmp_path: Path) -> None:
    machine = Machine(
        tmp_path / "machine",
        f"count {gpus}",
        "name NVIDIA H200",
        "total 143771",
        "util 97",
        "used 72000",
        "temp 61",
        "power 612000",
        "clock 1755",
        "gpu1.reasons 0x4",
    )
    done = subprocess.run(
        [sys.executable, "-m", "driving.launch_on_gpus"],
        cwd=Path(__file__).parent.parent,
        env=machine.environment(driver),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for size, text in json.loads(done.stdout).items():
        check(f"launch-{gpus}gpus-{size}", text)


async def test_the_launch_screen_without_gpus() -> None:
    app = GpubenchApp(Path("sessions"))
    async with app.run_test() as pilot:
        await check_sizes(pilot, "launch-0gpus", "(estimate)", "memory 12.0")
        await pilot.press("e")
        await check_sizes(pilot, "editor-0gpus", "Edit quickstart", "runs on", sizes=SIZES[:1])
        await pilot.press("slash", *"decay", "enter")  # larger windows would show every new key
        await check_sizes(pilot, "editor-search", ">weight_decay", "runs on")


async def listed(pilot: Pilot[int]) -> None:
    """The screen of all sessions: one of each kind."""
    shelved("newest", 2, age=1)
    shelved("middle", 0, age=2, fail="05")
    shelved("oldest", 8, age=3, until=5.0)
    pilot.app.post_message(ShowSessions())
    await wait_for_text(pilot, "Sessions  ", "dp on 2 devices is 1.92x", "one wrapped device")


async def test_sessions() -> None:
    app = GpubenchApp(Path("sessions"))
    async with app.run_test() as pilot:
        await listed(pilot)
        await check_sizes(pilot, "sessions", "Sessions  ")
        await pilot.press("n")
        await check_sizes(pilot, "rename", "Rename newest")


async def test_two_sessions_compared() -> None:
    app = GpubenchApp(Path("sessions"))
    async with app.run_test() as pilot:
        await pilot.pause()
        app.post_message(ShowComparison([shelved("before", 8), shelved("after", 8, fail="05")]))
        await check_sizes(pilot, "compare", "no difference", "ddp x2")


async def test_help_and_questions() -> None:
    folder = shelved("scaling", 2, until=6.7)
    with folder.hold():
        app = watching(folder)
        async with app.run_test() as pilot:
            await wait_for_text(pilot, "running", "✓ single x1")
            await pilot.press("question_mark")
            await check_sizes(pilot, "help", "This screen")
            await pilot.press("escape", "s")
            await check_sizes(pilot, "question", "Stop scaling?")


async def test_what_opens_over_the_results() -> None:
    app = watching(shelved("scaling", 2))
    async with app.run_test() as pilot:
        await wait_for_text(pilot, "Diagnosis", "Results")
        await pilot.press("e")
        await wait_for_text(pilot, "Markdown")
        app.screen.query_one(Input).value = "/home/me/results"
        await check_sizes(pilot, "export", "/home/me/results")


async def test_a_replay() -> None:
    app = watching(shelved("scaling", 2), 0.1)
    async with app.run_test() as pilot:
        await wait_for_text(pilot, "▶ single x1")
        await pilot.press("space", "left", "left")
        await wait_for_text(pilot, "■ paused", "0:00 of 0:13")
        await pilot.press("shift+right")
        await check_sizes(pilot, "replay", "0:10 of 0:13", "✓ dp x2")


async def test_a_tune() -> None:
    folder = named(shelve_events(Path("sessions"), long_tune(), "tune"), "tune")
    with folder.hold():
        app = watching(folder)
        async with app.run_test() as pilot:
            await check_sizes(pilot, "tune", "12 tried, 4 kept", "▶ fused", sizes=SIZES[:2])
            await pilot.press("t")
            await check_sizes(pilot, "tune-results", "4 of 12 changes", "resident data  ", sizes=SIZES[:2])


async def test_the_start_of_a_tune() -> None:
    app = GpubenchApp(Path("sessions"))
    async with app.run_test() as pilot:
        await wait_for_text(pilot, "(estimate)", "memory 12.0", "t Tune")
        await pilot.press("t")
        await check_sizes(pilot, "tune-dialog", "Tune quickstart", "[x] memory", sizes=SIZES[:2])


async def test_a_remedy_and_its_trial() -> None:
    origin = named(shelve_slow_input(Path("sessions")), "slow")
    trial = named(shelve_trial(origin), "slow-try")
    app = watching(origin)
    async with app.run_test() as pilot:
        await wait_for_text(pilot, "tried: Resident data", "t Try")
        await pilot.press("t")
        await check_sizes(pilot, "remedies", "Try a remedy", "at most 2.50x", sizes=SIZES[:2])
        await pilot.press("escape")
        app.post_message(ShowResults(trial))
        await check_sizes(pilot, "trial", "Resident data: 2.00x", "a trial of: slow", sizes=SIZES[:2])


async def test_colors_dark_and_light() -> None:
    folder = shelved("scaling", 8, until=6.7)
    with folder.hold():
        app = watching(folder)
        async with app.run_test(size=SIZES[1]) as pilot:
            await wait_for_text(pilot, "running", "✓ single x1")
            await check_colors(pilot, "monitor")
            await pilot.press("s")
            await wait_for_text(pilot, "Stop scaling?")
            await check_colors(pilot, "question")
    app = watching(shelved("over", 8))
    async with app.run_test(size=SIZES[1]) as pilot:
        await wait_for_text(pilot, "Diagnosis")
        await check_colors(pilot, "results")
    app = GpubenchApp(Path("sessions"))
    async with app.run_test(size=SIZES[1]) as pilot:
        await wait_for_text(pilot, "(estimate)", "memory 12.0")
        await check_colors(pilot, "launch")


async def test_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    folder = shelved("scaling", 8, until=6.7)
    with folder.hold():
        app = watching(folder)
        async with app.run_test() as pilot:
            await check_sizes(pilot, "monitor-ascii", "running", "+ single x1", sizes=SIZES[:2])
    app = watching(shelved("over", 8))
    async with app.run_test() as pilot:
        await check_sizes(pilot, "results-ascii", "Diagnosis", "Results", sizes=SIZES[:2])
    folder = named(shelve_events(Path("sessions"), long_tune(), "tune"), "tune")
    with folder.hold():
        app = watching(folder)
        async with app.run_test() as pilot:
            await check_sizes(pilot, "tune-ascii", "12 tried, 4 kept", "> fused", sizes=SIZES[:2])


def test_every_snapshot_is_read_by_a_test(request: pytest.FixtureRequest) -> None:
    tests = {name for name in globals() if name.startswith("test_")}
    if tests != RUN or request.session.testsfailed:
        pytest.skip("only where all snapshots have been compared")
    check_none_is_left()
