"""Measurements that need no session, in a process of their own: clock, reporter, overhead, memory, telemetry.

    python one_process.py FILE.json [--stand-in]

FILE holds an object for each part, or the traceback under `error` where a part failed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
from gpu_parts import drift, events, identity, memory, quickstart, sharded, telemetry
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import MetricsLost, Steps
from gpubench_tui.engine.training.device.claim import claim_devices
from gpubench_tui.engine.training.setup import set_switches
from gpubench_tui.engine.training.trainings.images import HitTally
from msgspec.structs import replace
from stand import Facts, Queue, Stand, Trained

SMALL = Workload(model="cnn", images=2048, batch=64, learning_rate=0.02)
"""Workload whose steps are so short that the engine's overhead shows."""


def reporter(stand: Stand) -> Facts:
    """Report thousands of steps; return the losses that arrived and the sum of the step times."""
    queue, clock = Queue(), stand.devices.new_clock()
    speaker = stand.reporter(queue)
    count, side = (3000, 512) if stand.has_gpu else (300, 32)
    factor = torch.randn(side, side, device=stand.device)
    wall = 0.0
    for _ in range(3):
        clock.synchronize()
        speaker.begin()
        start = time.perf_counter()
        for _ in range(count // 3):
            factor @ factor
            speaker.step(torch.full((), float(speaker.steps), device=stand.device), 4, 0.1)
        clock.synchronize()
        wall += time.perf_counter() - start
    speaker.close()
    sent = [event for event in queue.events if isinstance(event, Steps)]
    return {
        "count": count,
        "losses": [loss for event in sent for loss in event.loss],
        "lost": sum(event.steps for event in queue.events if isinstance(event, MetricsLost)),
        "seconds": sum(second for event in sent for second in event.seconds),
        "wall": wall,
    }


def overhead(stand: Stand) -> Facts:
    """Time small steps of the engine, of a bare loop, and of a bare loop with the tally of epochs."""
    training = Trained(stand, replace(stand.run, workloads=(SMALL,)))
    steps, pairs = training.steps_in(0.3), 12 if stand.has_gpu else 2
    training.bare(steps)
    timed = [(training.measurement.timed(steps), training.bare(steps)) for _ in range(pairs)]
    step = statistics.median(seconds for _, seconds in timed) / steps
    training.trainer.tally = HitTally(stand.device)
    tallied = statistics.median(training.bare(steps) for _ in range(pairs // 2)) / steps
    return {"ratio": statistics.median(a / b for a, b in timed), "step": step, "tallied": tallied}


PARTS: dict[str, Callable[[Stand], Facts]] = {part.__name__: part for part in (reporter, overhead)}
PARTS_OF_GPUS: dict[str, Callable[[Stand], Facts]] = {
    part.__name__: part for part in (identity, telemetry, events, drift, quickstart, memory, sharded)
}


def main() -> None:
    """Do every part, and write the findings after each: a later part may end the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--stand-in", action="store_true")
    options = parser.parse_args()
    host = inspect_host([] if options.stand_in else None)
    run = make_plan("quickstart", find_preset("quickstart").read(), host).to_run[0]
    devices = claim_devices(run, 0)
    set_switches(run.workload)
    stand, found = Stand(host, run, devices), {"device": {"name": devices.describe()}}
    for name, part in (PARTS | (PARTS_OF_GPUS if stand.has_gpu else {})).items():
        try:
            found[name] = part(stand)
        except Exception:
            found[name] = {"error": traceback.format_exc()}
        options.file.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
    os._exit(0)  # without waiting for threads, or for a device that no longer answers
