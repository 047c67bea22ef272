"""Seconds from launch to the first step, and from a run's last step to the next run's first. CPU, two ranks.

    python benchmarks/launch.py

Beside it, what two ranks take that are spawned anew each time, as most scripts do it: the ratio is to that.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from gpubench_tui.engine.conductor.start import start_session
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.preset.write import write_preset
from gpubench_tui.engine.record.events import Steps
from gpubench_tui.engine.record.journal import read_journal
from gpubench_tui.engine.record.shelf import Shelf
from torch.nn.parallel import DistributedDataParallel

RUNS = 6
SPAWNS = 3
SHORT = [
    'matrix.modes=["ddp"]',
    "matrix.devices=[2]",
    f"matrix.batches={list(range(8, 8 + RUNS))}",
    "workload.model=lenet",
    "workload.images=400",
    "measure.window_seconds=0.05",
    "measure.windows=2",
    "measure.seconds=0.1",
    "measure.detail=0",
    "measure.detail=0",
]


def main() -> None:
    first, between = a_session()
    anew = statistics.median(spawned_anew() for _ in range(SPAWNS))
    gap = statistics.median(between)
    print(f"{'':<48}{'seconds':>8}")
    print(f"{'session started -> first step of its first run':<48}{first:>8.2f}")
    print(f"{'last step of a run -> first step of the next':<48}{gap:>8.2f}   (median of {len(between)})")
    print(f"{'two ranks spawned anew -> their first step':<48}{anew:>8.2f}   (median of {SPAWNS})")
    print(f"ratio of the second to the third: {gap / anew:.2f}")


def a_session() -> tuple[float, list[float]]:
    """Return the seconds to the first step, and between runs, of a session of short runs."""
    preset = find_preset("quickstart").read(SHORT)
    host = inspect_host()
    with tempfile.TemporaryDirectory() as root:
        plan = make_plan("launch", preset, host)
        folder = Shelf(Path(root)).create(None, plan, host, write_preset(preset))
        launched = time.monotonic()
        process = start_session(folder)
        while not folder.journal.exists():
            time.sleep(0.001)
        # The journal's clock starts with its first line.
        began = time.monotonic()
        assert process.wait() == 0, folder.log.read_text()
        steps = [event for event in read_journal(folder.journal) if isinstance(event, Steps)]
    runs = [[event for event in steps if event.run == spec.id] for spec in plan.runs]
    firsts = [min(event.at - sum(event.seconds[1:]) for event in run if event.first == 0) for run in runs]
    lasts = [max(event.at for event in run) for run in runs]
    between = [first - last for last, first in zip(lasts, firsts[1:], strict=False)]
    return began - launched + firsts[0], between


def spawned_anew() -> float:
    """Return the seconds until a fresh interpreter has spawned two ranks and finished a DDP step."""
    start = time.perf_counter()
    subprocess.run([sys.executable, __file__, "spawn"], check=True)
    return time.perf_counter() - start


def spawn() -> None:
    with tempfile.TemporaryDirectory() as folder:
        mp.start_processes(train_a_step, args=(f"{folder}/store",), nprocs=2, start_method="spawn")  # type: ignore[no-untyped-call]


def train_a_step(rank: int, store: str) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    dist.init_process_group("gloo", store=dist.FileStore(store, 2), rank=rank, world_size=2)
    model = DistributedDataParallel(torch.nn.Linear(10, 10))
    model(torch.randn(8, 10)).sum().backward()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    spawn() if sys.argv[1:] == ["spawn"] else main()
