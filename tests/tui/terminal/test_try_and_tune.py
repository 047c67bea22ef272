"""A trial and a tune by keyboard in a real terminal, with real ranks: begun, stopped, and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building.sessions import spec
from building.trials import shelve_slow_input
from driving.terminal import Terminal, wait_for
from gpubench_tui.engine.conductor.same_machine import program_version
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.shelf import Shelf

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_session_left")]

SMALL = Workload(name="lenet", model="lenet", batch=16, images=256, placement="loader")
SHORT = Measure(seconds=1.0, windows=3, window_seconds=0.1, warmup_steps=2, detail=2)
OVERRIDES = (
    "workload.model=lenet",
    "workload.images=256",
    "workload.batch=16",
    "workload.placement=loader",
    "measure.window_seconds=0.1",
    "measure.seconds=1",
    "measure.windows=3",
    "measure.detail=2",
    "matrix.devices=1",
)


@pytest.fixture
def opened() -> Iterator[Callable[..., Terminal]]:
    """Opens the program in a terminal of 80 by 24."""
    terminals: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        terminals.append(Terminal(*arguments))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.kill()


def test_t_on_a_diagnosis_starts_its_trial(tmp_path: Path, opened: Callable[..., Terminal]) -> None:
    host = inspect_host(())
    core = host.cpu.cores[0]
    devices = [Device(kind="cpu", index=0, name=f"core {core}", cores=(core,))]
    run = spec("01-single", "single", workloads=[SMALL], measure=SHORT, on=devices)
    origin = shelve_slow_input(tmp_path, run=run, host=host, program=program_version())
    terminal = opened("replay", origin.name, "--speed=1e6", f"--sessions-dir={tmp_path}")
    terminal.read_until("waiting for the next batch", "t Try")
    terminal.press("t")
    terminal.read_until("Try a remedy for input-bound", "at most 2.50x", "takes more memory")
    terminal.press("\r")
    terminal.read_until("running", "Trial of resident data", "f From")
    terminal.press("s")
    terminal.read_until("Yes, stop it")
    terminal.press("y")
    terminal.read_until("stopped early", f"a trial of: {origin.name}")
    trial = next(folder for folder in Shelf(tmp_path).all() if folder.name != origin.name)
    plan = trial.request().plan
    assert plan.trial is not None and plan.trial.session == origin.name
    assert read_session(trial.journal).outcome == "stopped"


def test_a_tune_is_stopped_and_gone_on_with(tmp_path: Path, opened: Callable[..., Terminal]) -> None:
    settings = [text for each in OVERRIDES for text in ("--set", each)]
    terminal = opened(*settings, f"--sessions-dir={tmp_path}")
    terminal.read_until("(estimate)", "t Tune")
    terminal.press("t")
    terminal.read_until("Tune quickstart: ", "[x] memory")
    terminal.press("\x1b[B\x1b[B ")
    terminal.read_until("[x] memory")
    terminal.press("\r")
    terminal.read_until("running", "Tune of Quickstart: 1 tried, 0 kept", "▶ ")
    terminal.press("s")
    terminal.read_until("It keeps what it has found")
    terminal.press("y")
    terminal.read_until("stopped early", "stopped by the user")
    (first,) = Shelf(tmp_path).all()
    assert read_session(first.journal).outcome == "stopped"
    terminal.press("u")
    wait_for(lambda: terminal.read_more() and len(Shelf(tmp_path).all()) == 2)
    second = Shelf(tmp_path).all()[0]
    assert second.request().resumes == first.name
    terminal.read_until(f"running  {second.name}")
    terminal.press("s")
    terminal.read_until(f"Stop {second.name}?")
    terminal.press("y")
    terminal.read_until(f"{second.name}  stopped early")
    taken = read_session(second.journal)
    start = next(iter(taken.runs.values()))
    assert start.taken_over == first.name and start.state == "measured"
