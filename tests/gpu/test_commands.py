"""The command as a person types it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .conftest import Note
from .machine import Machine

COMMAND = """
import sys
from importlib.metadata import entry_points
(command,) = entry_points(group="console_scripts", name="gpubench-tui")
sys.exit(command.load()())
"""
"""The command as it is installed, wherever its script is."""


def gpubench(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = machine.run(["-P", "-c", COMMAND, *arguments], " ".join(arguments[:2]), 120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_quickstart_runs_and_writes_its_report(machine: Machine, tmp_path: Path, note: Note) -> None:
    report = tmp_path / "report.md"
    stand_in = [] if machine.has_gpu else ["--set=measure.seconds=1", "--set=workload.images=512"]
    folder = f"--sessions-dir={tmp_path / 'sessions'}"
    gpubench(machine, "run", "quickstart", "--headless", folder, f"--output={report}", *stand_in)
    text = report.read_text()
    note(next(line.strip("*") for line in text.splitlines() if line.startswith("**")))
    assert "| single" in text
    assert all(device.name in text for device in machine.devices[:1] if machine.has_gpu)


def test_doctor_names_the_devices(machine: Machine) -> None:
    told = gpubench(machine, "doctor").stdout
    names = {gpu.name for gpu in machine.host.gpus} or {machine.host.cpu.model}
    assert all(name in told for name in names)
