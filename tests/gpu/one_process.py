"""Measures in a process of its own what needs no session: clock, reporter, overhead, memory, telemetry.

    python -P one_process.py FILE.json [--stand-in]

FILE holds an object for each part, or the traceback under `error` where a part failed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gpubench_tui.engine.host.devices import find_device
from gpubench_tui.engine.host.facts import GpuSample, Host
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.host.nvml import Nvml
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.library import find_preset
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.preset import Workload
from gpubench_tui.engine.record.events import MetricsLost, RankEvent, Steps
from gpubench_tui.engine.training.data import Batches, make_batches
from gpubench_tui.engine.training.datasets import open_data
from gpubench_tui.engine.training.device.claim import backend_for, claim_devices
from gpubench_tui.engine.training.device.devices import RankDevices
from gpubench_tui.engine.training.group import Group
from gpubench_tui.engine.training.measure import Measurement
from gpubench_tui.engine.training.parallel import own_batch, own_shard
from gpubench_tui.engine.training.rank import Rank
from gpubench_tui.engine.training.reporter import Reporter
from gpubench_tui.engine.training.setup import set_switches
from gpubench_tui.engine.training.trainer import Tally, Trainer
from msgspec.structs import replace

MODELS = Path(__file__).with_name("models.py")
SLEEP_CYCLES = 450_000_000
"""About a third of a second of a GPU's clock."""
DRIFT_SECONDS = 4.0
BLOCK_BYTES = 1 << 30
SMALL = Workload(model="cnn", images=2048, batch=64, learning_rate=0.02)
"""A step that is over so soon that whatever the engine adds shows."""

Facts = dict[str, Any]


class Queue:
    """Keeps what a reporter sends."""

    def __init__(self) -> None:
        self.events: list[RankEvent] = []

    def put_nowait(self, events: list[RankEvent]) -> None:
        self.events += events

    def close(self) -> None: ...

    def join_thread(self) -> None: ...

    def cancel_join_thread(self) -> None: ...


@dataclass
class Stand:
    """What every part measures on."""

    host: Host
    run: RunSpec
    devices: RankDevices

    @property
    def device(self) -> torch.device:
        """The one device."""
        return self.devices.first

    @property
    def has_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.device.type == "cuda"

    def rank(self, run: RunSpec) -> Rank:
        """A rank that is alone in a run."""
        alone = Group()
        return Rank(run, 0, self.devices, alone, alone, self.reporter(Queue()))

    def reporter(self, queue: Queue) -> Reporter:
        """A reporter that sends to the queue."""
        return Reporter(self.run.id, 0, time.monotonic(), queue, self.devices)


def identity(stand: Stand) -> Facts:
    """The GPU as NVML and as torch know it."""
    told, known = stand.host.gpus[0], torch.cuda.get_device_properties(0)
    return {
        "nvml": {"uuid": told.uuid, "memory": told.memory_bytes, "capability": told.compute_capability},
        "torch": {
            "uuid": str(known.uuid),
            "memory": known.total_memory,
            "capability": (known.major, known.minor),
        },
    }


def telemetry(stand: Stand) -> Facts:
    """A sample while the GPU multiplies matrices, and the energy that this took."""
    nvml = Nvml()
    device = find_device(nvml, stand.host.gpus[0])
    assert device is not None
    factor = torch.randn(4096, 4096, device=stand.device)

    def multiply(seconds: float) -> list[GpuSample]:
        samples, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(20):
                factor @ factor
            torch.cuda.synchronize()
            samples.append(device.sample())
        return samples

    multiply(1.5)  # what is told of power is a mean over the last second
    before, start = device.energy_joules(), time.monotonic()
    samples = multiply(2.0)
    after, seconds = device.energy_joules(), time.monotonic() - start
    sample = samples[-1]
    known = [each.power_watts for each in samples if each.power_watts is not None]
    return {
        "missing": nvml.take_missing(),
        "sample": {
            name: getattr(sample, name)
            for name in (
                *("utilization", "memory_used_bytes", "temperature", "power_watts", "sm_clock_mhz"),
                *("throttle", "pcie_generation", "pcie_width"),
            )
        },
        "watts_by_energy": None if before is None or after is None else (after - before) / seconds,
        "watts_by_power": statistics.fmean(known) if known else None,
        "pid": os.getpid(),
        "pids": [process.pid for process in sample.processes or ()],
        "pid_namespace": str(Path("/proc/self/ns/pid").readlink()),
    }


def events(stand: Stand) -> Facts:
    """CUDA events against the host's clock, over a kernel that does nothing for a while."""
    clock = stand.devices.new_clock()
    torch.cuda._sleep(1000)
    clock.synchronize()
    wall = time.perf_counter()
    start = clock.mark()
    torch.cuda._sleep(SLEEP_CYCLES)
    end = clock.mark()
    early = clock.reached(end)
    clock.synchronize()
    wall = time.perf_counter() - wall
    facts = {
        "reached_early": early,
        "reached": clock.reached(end),
        "seconds": clock.seconds(start, end),
        "wall": wall,
    }
    clock.release(start)
    clock.release(end)
    again = clock.mark()
    clock.synchronize()
    return {**facts, "used_again": again in (start, end)}


def drift(stand: Stand) -> Facts:
    """How much faster the GPU's clock runs than the host's, and how far single readings scatter around it."""
    clock = stand.devices.new_clock()
    readings: list[tuple[float, float, float]] = []
    begin, first = time.monotonic(), None
    while time.monotonic() - begin < DRIFT_SECONDS:
        before = time.monotonic()
        mark = clock.mark()
        clock.synchronize()
        after = time.monotonic()
        first = first or mark
        readings.append((before, after, clock.seconds(first, mark)))
        time.sleep(0.02)
    host = [(before + after) / 2 for before, after, _ in readings]
    device = [seconds for *_, seconds in readings]
    rate, offset = statistics.linear_regression(host, device)
    scatter = sorted(abs(y - rate * x - offset) for x, y in zip(host, device, strict=True))
    return {
        "ppm": 1e6 * (rate - 1),
        "scatter_us": 1e6 * scatter[len(scatter) // 2],
        "worst_us": 1e6 * scatter[-1],
        "bracket_us": 1e6 * statistics.median(after - before for before, after, _ in readings),
    }


def reporter(stand: Stand) -> Facts:
    """Thousands of steps through a reporter: which losses arrived, and what the steps add up to."""
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
    """A small step of the engine against a bare loop, and what the tally of epochs adds to one."""
    training = Training(stand, replace(stand.run, workloads=(SMALL,)))
    steps, pairs = training.steps_in(0.3), 12 if stand.has_gpu else 2
    training.bare(steps)
    timed = [(training.measurement.timed(steps), training.bare(steps)) for _ in range(pairs)]
    step = statistics.median(seconds for _, seconds in timed) / steps
    training.trainer.tally = Tally(stand.device)
    tallied = statistics.median(training.bare(steps) for _ in range(pairs // 2)) / steps
    return {"ratio": statistics.median(a / b for a, b in timed), "step": step, "tallied": tallied}


def quickstart(stand: Stand) -> Facts:
    """The share of a step of quickstart in which kernels run."""
    training = Training(stand, stand.run)
    steps = training.steps_in(0.3)
    step = statistics.median(training.bare(steps) for _ in range(5)) / steps
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        training.bare(steps)
    busy = sum(event.self_device_time_total for event in profile.key_averages()) / 1e6
    return {"step": step, "kernel_share": busy / steps / step}


class Training:
    """A rank alone in a run, its model warmed up."""

    def __init__(self, stand: Stand, run: RunSpec) -> None:
        rank, batches = stand.rank(run), _batches(stand, run)
        self.trainer = Trainer(rank.run, rank.index, rank.devices, batches, rank.team)
        self.measurement = Measurement(rank, self.trainer, batches)
        self.measurement.warm_up()
        self._stream = batches.train(0, None)
        self._clock = stand.devices.new_clock()

    def steps_in(self, seconds: float) -> int:
        """How many steps take about so long, at least one."""
        return max(1, round(seconds / self.measurement.pace))

    def bare(self, steps: int) -> float:
        """Seconds of so many steps without measurement or report."""
        self._clock.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            self.trainer.step(*next(self._stream))
        self._clock.synchronize()
        return time.perf_counter() - start


def _batches(stand: Stand, run: RunSpec) -> Batches:
    def note(text: str) -> None: ...

    sets = open_data(run.workload, Path(tempfile.gettempdir()), note)
    return make_batches(sets, run.workload, own_shard(run, 0), own_batch(run, 0), stand.devices, 0, note)


def memory(stand: Stand) -> Facts:
    """The peak after one allocation whose size is known."""
    torch.cuda.synchronize()
    held = torch.cuda.memory_allocated(0)
    stand.devices.reset_peaks()
    block = torch.empty(BLOCK_BYTES, dtype=torch.uint8, device=stand.device)
    del block
    allocated, reserved = stand.devices.peaks()
    return {
        "block": BLOCK_BYTES,
        "over_held": (allocated[0] or 0) - held,
        "allocated": allocated[0],
        "reserved": reserved[0],
        "retries": stand.devices.allocator_retries(),
    }


def sharded(stand: Stand) -> Facts:
    """What fsdp in bf16 holds between forward and backward of a model that is nearly all weights."""
    wide = Workload(
        model=f"{MODELS}:wide", images=256, batch=32, precision="bf16", optimizer="adamw", learning_rate=1e-4
    )
    run = replace(stand.run, mode="fsdp", workloads=(wide,))
    batches = _batches(stand, run)
    with tempfile.TemporaryDirectory() as folder:
        group = Group.join(Path(folder), 0, 1, backend_for(run.devices), 60)
        trainer = Trainer(run, 0, stand.devices, batches, group)
        stream = batches.train(0, None)
        for _ in range(2):
            trainer.step(*next(stream))
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated(0)
        _, loss = trainer.forward(*next(stream))
        torch.cuda.synchronize()
        held = torch.cuda.memory_allocated(0) - before
        trainer.backward(loss)
        torch.cuda.synchronize()
    return {"parameters": trainer.parameters, "held": held}


PARTS: dict[str, Callable[[Stand], Facts]] = {
    "reporter": reporter,
    "overhead": overhead,
}
PARTS_OF_GPUS: dict[str, Callable[[Stand], Facts]] = {
    "identity": identity,
    "telemetry": telemetry,
    "events": events,
    "drift": drift,
    "quickstart": quickstart,
    "memory": memory,
    "sharded": sharded,
}


def main() -> None:
    """Do every part, and write what is known after each: a later one may take the process along."""
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
