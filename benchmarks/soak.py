"""Memory, threads and descriptors of app, session process and ranks over a long session; bytes of journal.

    python benchmarks/soak.py [--minutes 60]

Half the time goes to one run of two ranks that takes some hundred steps a second each, while the app shows it
in a pseudo-terminal of 120x40; the other half to run after run, as short as they can be, so that what is lost
at each launch adds up. The model sleeps in place of computing, so that the machine is left to others.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
from gpubench_tui.engine.conductor.start import start_session
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.preset.write import write_preset
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from terminal import Terminal

MODEL = """
import time

import torch


class Resting(torch.nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = torch.nn.Linear(3 * 8 * 8, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        time.sleep(0.008)
        return self.head(images.flatten(1))


def build(classes: int) -> torch.nn.Module:
    return Resting(classes)
"""
COMMON = (
    "workload.image_size=8",
    "workload.images=400",
    "workload.batch=8",
    "measure.target=0.0",
    "measure.detail=0",
)
SAMPLES = 24
"""Number of readings in each half."""


class Reading(NamedTuple):
    """The size of some processes at one moment."""

    mib: float
    threads: int
    descriptors: int

    @classmethod
    def of(cls, processes: Sequence[psutil.Process]) -> Reading:
        """Return the sums over all processes that are still there."""
        mib, threads, descriptors = 0.0, 0, 0
        for process in processes:
            try:
                mib += process.memory_info().rss / (1 << 20)
                threads += process.num_threads()
                descriptors += process.num_fds()
            except psutil.NoSuchProcess:
                continue
        return cls(mib, threads, descriptors)


def main() -> None:
    parser = argparse.ArgumentParser(description="Sizes of all processes over a long session.")
    parser.add_argument("--minutes", type=float, default=60.0)
    seconds = 30 * parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as root:
        model = Path(root) / "resting.py"
        model.write_text(MODEL)
        workload = f"workload.model={model}:build"
        long_run = ('matrix.modes=["ddp"]', "measure.window_seconds=1.0", f"measure.seconds={seconds}")
        soak(Path(root), "one long run", (workload, *COMMON, *long_run), seconds)
        runs = min(round(seconds), 1000)
        many = (f"measure.repeats={runs}", "measure.window_seconds=0.1", "measure.windows=2")
        short = (
            'matrix.modes=["ddp"]',
            f"measure.seconds={max(0.2, seconds / 1000)}",
            "measure.warmup_steps=2",
        )
        soak(Path(root), "many short runs", (workload, *COMMON, *many, *short), seconds)


def soak(root: Path, name: str, overrides: Sequence[str], seconds: float) -> None:
    """Run one session for some seconds under the app, and print how its processes grew."""
    preset = find_preset("quickstart").read(overrides)
    host = inspect_host()
    plan = make_plan("soak", preset, host)
    folder = Shelf(root).create(None, plan, host, write_preset(preset))
    session = start_session(folder)
    while not folder.journal.exists():
        time.sleep(0.05)
    program = [sys.executable, "-m", "gpubench_tui.tui.cli", "attach", str(folder.path)]
    with Terminal(program, os.environ) as terminal:
        terminal.wait_for(b"Samples/s")
        readings = list(watch(folder, session, terminal.process.pid, seconds))
        terminal.send(b"q")
    session.terminate()
    session.wait()
    print_growth(name, readings)


def watch(
    folder: SessionFolder, session: subprocess.Popen[bytes], app: int, seconds: float
) -> Iterator[tuple[float, int, dict[str, Reading]]]:
    """Yield time in s, size of the journal in bytes, and the sizes of the processes, at regular moments."""
    start, process = time.monotonic(), psutil.Process(session.pid)
    for index in range(SAMPLES):
        while time.monotonic() < start + (index + 1) * seconds / SAMPLES and session.poll() is None:
            time.sleep(0.2)
        if session.poll() is not None:
            return
        yield (
            time.monotonic() - start,
            folder.journal.stat().st_size,
            {
                "app": Reading.of([psutil.Process(app)]),
                "session process": Reading.of([process]),
                "ranks and helpers": Reading.of(process.children(recursive=True)),
            },
        )


def print_growth(name: str, readings: Sequence[tuple[float, int, dict[str, Reading]]]) -> None:
    """Print the second quarter of the readings against the last."""
    if len(readings) < SAMPLES // 2:
        raise SystemExit(f"{name}: the session ended after {len(readings)} of {SAMPLES} readings")
    quarter = len(readings) // 4
    first, last = readings[quarter : 2 * quarter], readings[-quarter:]
    hours = (readings[-1][0] - readings[0][0]) / 3600
    written = readings[-1][1] - readings[0][1]
    print(f"{name}, {60 * hours:.0f} minutes: {written / hours / 1e6:.1f} MB of journal an hour")
    for part in readings[0][2]:
        for size in ("mib", "threads", "descriptors"):
            before, after = (
                mean(getattr(reading[2][part], size) for reading in some) for some in (first, last)
            )
            print(f"  {part:<20}{size:<12}{before:>9.1f} -> {after:>7.1f}   ratio {after / before:.2f}")


def mean(values: Iterator[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


if __name__ == "__main__":
    main()
