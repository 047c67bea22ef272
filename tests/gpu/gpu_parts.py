"""Parts of `one_process.py` that need a GPU: clock, telemetry, memory, and kernels in a step."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
from gpubench_tui.engine.host.facts import GpuSample
from gpubench_tui.engine.host.gpu.devices import find_device
from gpubench_tui.engine.host.gpu.nvml import Nvml
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.device.claim import backend_for
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.trainer import Trainer
from msgspec.structs import replace
from stand import Facts, Stand, Trained, open_training

MODELS = Path(__file__).with_name("models.py")
SLEEP_CYCLES = 450_000_000
"""Cycles of a GPU's clock in about a third of a second."""
DRIFT_SECONDS = 4.0
BLOCK_BYTES = 1 << 30


def identity(stand: Stand) -> Facts:
    """Identify the GPU by NVML and by torch."""
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
    """Sample the GPU while it multiplies matrices, and count the energy used."""
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
    """Time a kernel that only waits, by CUDA events and by the host's clock."""
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
    """Compare the rates of the GPU's and the host's clock, and the scatter of single readings."""
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


def quickstart(stand: Stand) -> Facts:
    """Measure the share of a step of quickstart in which kernels run."""
    training = Trained(stand, stand.run)
    steps = training.steps_in(0.3)
    step = statistics.median(training.bare(steps) for _ in range(5)) / steps
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        training.bare(steps)
    busy = sum(event.self_device_time_total for event in profile.key_averages()) / 1e6
    return {"step": step, "kernel_share": busy / steps / step}


def memory(stand: Stand) -> Facts:
    """Read the memory peak after an allocation of known size."""
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
    """Measure what fsdp in bf16 holds between forward and backward of a model that is nearly all weights."""
    wide = Workload(
        model=f"{MODELS}:wide", images=256, batch=32, precision="bf16", optimizer="adamw", learning_rate=1e-4
    )
    run = replace(stand.run, mode="fsdp", workloads=(wide,))
    training, batches = open_training(stand, run)
    with tempfile.TemporaryDirectory() as folder:
        group = Group.join(Path(folder), 0, 1, backend_for(run.devices), 60)
        trainer = Trainer(run, 0, stand.devices, training, batches, group)
        stream = batches.train(0, None)
        for _ in range(2):
            trainer.step(next(stream))
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated(0)
        loss, _ = trainer.forward(next(stream))
        torch.cuda.synchronize()
        held = torch.cuda.memory_allocated(0) - before
        trainer.backward(loss)
        torch.cuda.synchronize()
    return {"parameters": trainer.parameters, "held": held}
