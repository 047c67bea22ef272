"""Cost of the app: CPU, bytes to the terminal, time from key to screen, memory after an hour.

    python benchmarks/app.py [--nvitop PATH]

The program runs in a real pseudo-terminal of 120x40: its monitor on a session of 8 ranks with 100 steps a
second each and 8 GPUs, and its launch screen on 8 GPUs of a stand-in for NVIDIA's driver library. Where
nvitop is installed, it watches the same GPUs, for comparison.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session_folder import SessionFolder
from live_session import GPUS, drifting, live, new_folder, write
from terminal import HEIGHT, WIDTH, Cost, Terminal

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from nvml_standin import Machine, build

SETTLE_SECONDS = 8.0
"""Seconds until the first drawing and the imports are over."""
WATCH_SECONDS = 30.0
ROUNDS = 50
SHIFT_TAB, TAB = b"\x1b[Z", b"\t"
ESCAPE = b"\x1b[27u"
"""Escape as terminals with kitty's protocol send it; after a bare one Textual waits up to 0.2 s for more."""


def main() -> None:
    options = arguments()
    print(f"{'':<26}{'CPU of a core':>15}{'to the terminal':>18}{'targets':>22}")
    with (
        tempfile.TemporaryDirectory() as root,
        live_session(Path(root)) as folder,
        app("attach", str(folder.path)) as monitor,
    ):
        monitor.wait_for(b"Samples/s")
        time.sleep(SETTLE_SECONDS)
        print_cost("monitor, plots showing", monitor.cost(WATCH_SECONDS), "5%, 5 kB/s")
        waits, resizes = answers(monitor)
    with tempfile.TemporaryDirectory() as root, eight_gpus(Path(root)) as machine:
        launch = watched([*program(), "--sessions-dir", root], machine, b"GPUs")
        print_cost("launch screen, 8 GPUs", launch, "5%, 1.5 kB/s")
        if options.nvitop is not None:
            nvitop = watched([options.nvitop], machine, b"W")
            print_cost("nvitop, the same GPUs", nvitop, "")
            print(
                f"{'launch screen / nvitop':<26}{launch.cores / nvitop.cores:>14.1f}x"
                f"{launch.bytes_a_second / nvitop.bytes_a_second:>17.1f}x"
            )
        else:
            print("nvitop is not installed: nothing to compare with (--nvitop PATH)")
    print_waits("key to screen", waits, "median 30 ms, 99% 100 ms")
    print_waits("resize to screen", resizes, "")
    with tempfile.TemporaryDirectory() as root:
        empty, early, late = memory(Path(root))
    print(
        f"memory: {empty:.0f} MiB at the start, {early:.0f} MiB after an hour of events, "
        f"{late:.0f} MiB after three: ratio {late / early:.2f} (target: flat)"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What the app costs.")
    parser.add_argument("--nvitop", metavar="PATH", default=shutil.which("nvitop"))
    options = parser.parse_args()
    if options.nvitop is not None and shutil.which(options.nvitop) is None:
        parser.error(f"--nvitop {options.nvitop}: no such program")
    return options


def program() -> list[str]:
    return [sys.executable, "-m", "gpubench_tui.tui.cli"]


def app(*words: str) -> Terminal:
    return Terminal([*program(), *words], os.environ)


@contextlib.contextmanager
def live_session(root: Path) -> Iterator[SessionFolder]:
    """Yield a session that another process writes."""
    context = multiprocessing.get_context("spawn")
    folder, stop = new_folder(root), context.Event()
    writer = context.Process(target=live, args=(folder.path, stop))
    writer.start()
    while not folder.is_running():
        time.sleep(0.05)
    try:
        yield folder
    finally:
        stop.set()
        writer.join()


@contextlib.contextmanager
def eight_gpus(root: Path) -> Iterator[dict[str, str]]:
    """Return the environment of a program that sees 8 GPUs, whose figures change every second."""
    machine = Machine(root / "machine", f"count {GPUS}")
    stop = threading.Event()

    def drift() -> None:
        while not stop.wait(1.0):
            figures = ((index, drifting(index, time.monotonic())) for index in range(GPUS))
            lines = (f"gpu{index}.{key} {value}" for index, keys in figures for key, value in keys.items())
            machine.set(f"count {GPUS}", "total 143771", *lines)

    thread = threading.Thread(target=drift)
    thread.start()
    try:
        yield machine.environment(build(root))
    finally:
        stop.set()
        thread.join()


def watched(command: list[str], environment: dict[str, str], text: bytes) -> Cost:
    """Return the cost of a program that watches the machine."""
    with Terminal(command, environment) as terminal:
        terminal.wait_for(text)
        time.sleep(SETTLE_SECONDS)
        return terminal.cost(WATCH_SECONDS)


def answers(monitor: Terminal) -> tuple[list[float], list[float]]:
    """Return the seconds from a key, and from a resize of the window, to the change on the screen.

    The last panel, the log, is drawn anew when it takes the focus, when it loses it, and with all else.
    """
    waits, resizes = [], []
    monitor.send(TAB)
    monitor.seconds_until(b"Log", SHIFT_TAB)
    for number in range(ROUNDS):
        for keys, text in ((SHIFT_TAB, b"Log"), (TAB, b"Log"), (b"?", b"Words"), (ESCAPE, b"Log")):
            # At any moment between two drawings, but with that of the last key done.
            time.sleep(random.uniform(0.3, 0.8))
            waits.append(monitor.seconds_until(text, keys))
        if number % 10 == 9:
            time.sleep(0.5)
            since, start = monitor.bytes_seen, time.perf_counter()
            wide = number % 20 == 9
            monitor.resize(WIDTH - 4 * wide, HEIGHT - 2 * wide)
            monitor.wait_for(b"Log", since)
            resizes.append(time.perf_counter() - start)
    return waits, resizes


def memory(root: Path) -> Iterator[float]:
    """Yield the app's memory in MiB at the start, and after one and three hours of a session's events."""
    folder = new_folder(root)
    journal = Journal(folder.journal)
    with folder.hold(), app("attach", str(folder.path)) as monitor:
        monitor.wait_for(b"Samples/s")
        yield monitor.resident_mib()
        for seconds, clock in ((range(3600), b"59:59"), (range(3600, 10_800), b"2:59:59")):
            write(journal, seconds)
            wait_until_drawn(monitor, clock)
            yield monitor.resident_mib()


def wait_until_drawn(monitor: Terminal, text: bytes) -> None:
    """Wait until the screen shows a text; only a resized window is sent the whole screen."""
    for number in range(300):
        since = monitor.bytes_seen
        monitor.resize(WIDTH - number % 2, HEIGHT)
        time.sleep(1.0)
        if monitor.has_sent(text, since):
            return
    raise SystemExit(f"{text!r} was never drawn")


def print_cost(name: str, cost: Cost, target: str) -> None:
    print(
        f"{name:<26}{cost.cores:>14.1%} {cost.bytes_a_second / 1e3:>12.2f} kB/s"
        + (f"{'at most ' + target:>23}" if target else ""),
        flush=True,
    )


def print_waits(name: str, seconds: list[float], target: str) -> None:
    worst = statistics.quantiles(seconds, n=100)[98]
    print(
        f"{name}: median {statistics.median(seconds) * 1e3:.0f} ms, 99% {worst * 1e3:.0f} ms "
        f"of {len(seconds)}" + (f" (target: {target})" if target else "")
    )


if __name__ == "__main__":
    main()
