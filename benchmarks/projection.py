"""Error of projections: DDP between network namespaces, projected from 2 of them to 4 and 8, and measured.

Each has one rank and a port of 400 Mbit/s; computing is sleeping, so that two cores are enough for all.
Needs root, `ip` and `tc` with its token bucket filter. Usage: python benchmarks/projection.py [NOISE]

NOISE is the deviation of the time of computing, as a share of it (default: 0.15).
"""

# No `from __future__ import annotations`: DistributedDataParallel compares a hook's annotations with types.

import ctypes
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from gpubench_tui.engine.analysis.projection.collectives import Layout
from gpubench_tui.engine.analysis.projection.overlap import BucketModel
from gpubench_tui.engine.analysis.results.bandwidth import curve
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    BandwidthMeasured,
    Breakdown,
    BucketTimes,
    CommunicationMeasured,
    RankEvent,
)
from gpubench_tui.engine.record.run import RunState
from torch import nn
from torch.nn.parallel import DistributedDataParallel

COUNTS = (2, 4, 8)
PORT = "400mbit"
LAYERS, FLOATS, BUCKET_MB = 8, 500_000, 4.0
FORWARD, BACKWARD, UPDATE = 0.010, 0.050, 0.005
"""Seconds of a layer, and of a step's update."""
WARMUP, STEPS = 3, 25
SIZES = (4096, 65536, 1 << 20, 4 << 20, 8 << 20)
REPETITIONS = 5
NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of sched.h."""
TIMEOUT = timedelta(seconds=120)


def ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True)


@contextmanager
def machines(count: int) -> Iterator[list[str]]:
    """Make namespaces with a limited port each, on a bridge in one more; yield their names."""
    switch, *nodes = names = [f"projection{os.getpid()}-{place}" for place in range(count + 1)]
    try:
        for name in names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", switch, "link", "set", "bridge", "up")
        for place, node in enumerate(nodes):
            port = f"port{place}"
            ip("link", "add", port, "netns", switch, "type", "veth", "peer", "name", "eth0", "netns", node)
            ip("-n", switch, "link", "set", port, "master", "bridge", "up")
            ip("-n", node, "address", "add", f"10.77.0.{place + 1}/24", "dev", "eth0")
            ip("-n", node, "link", "set", "eth0", "up")
            limit = ("tbf", "rate", PORT, "burst", "256kb", "latency", "50ms")
            subprocess.run(("tc", "-n", node, "qdisc", "replace", "dev", "eth0", "root", *limit), check=True)
        yield nodes
    finally:
        for name in names:
            subprocess.run(("ip", "netns", "delete", name), check=False)


class Sleeping(torch.autograd.Function):
    """A layer that takes its time, forward and backward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, pace: float) -> torch.Tensor:
        """Sleep, and pass the input on."""
        ctx.save_for_backward(weight)
        ctx.pace = pace
        time.sleep(FORWARD * pace)
        return x + 0 * weight[0]

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        """Sleep, and give the weights a gradient."""
        (weight,) = ctx.saved_tensors
        time.sleep(BACKWARD * ctx.pace)
        return grads[0], torch.ones_like(weight), None


class Layers(nn.Module):
    """Layers that sleep at a common pace."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList([torch.zeros(FLOATS) for _ in range(LAYERS)])
        self.pace = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pass through all layers."""
        for weight in self.weights:
            x = Sleeping.apply(x, weight, self.pace)
        return x


def rank_main(rank: int, count: int, node: str, port: int, noise: float, answers: Any) -> None:
    """Train in a machine's namespace, and answer with what the detail phase would report."""
    with Path(f"/run/netns/{node}").open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "eth0"
    store = dist.TCPStore("10.77.0.1", port, count, rank == 0, TIMEOUT, wait_for_workers=False)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=TIMEOUT)
    answers.put([measured_curve(rank), *trained(rank, count, noise)])
    dist.barrier()


def measured_curve(rank: int) -> BandwidthMeasured:
    """Time all-reduces on idle ranks, each by its slowest rank."""
    seconds = []
    for size in SIZES:
        buffer, times = torch.zeros(size // 4), []
        dist.all_reduce(buffer)
        for _ in range(REPETITIONS):
            dist.barrier()
            start = time.perf_counter()
            dist.all_reduce(buffer)
            took = torch.tensor(time.perf_counter() - start)
            dist.all_reduce(took, dist.ReduceOp.MAX)
            times.append(float(took))
        seconds.append(statistics.median(times))
    return BandwidthMeasured(
        at=0.0, run="ddp", rank=rank, collective="all_reduce", sizes=list(SIZES), seconds=seconds
    )


def trained(rank: int, count: int, noise: float) -> tuple[Breakdown, CommunicationMeasured]:
    """Take the steps; their buckets are noted on the clock that all ranks of this machine share."""
    layers, source = Layers(), random.Random(f"{rank} of {count}")
    ddp = DistributedDataParallel(layers, bucket_cap_mb=BUCKET_MB)
    steps: list[list[tuple[int, float, list[float]]]] = []

    def hook(_: None, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        buffer, ends = bucket.buffer(), list[float]()
        steps[-1].append((buffer.numel() * 4, time.perf_counter(), ends))

        def note(done: torch.futures.Future[torch.Tensor]) -> torch.Tensor:
            ends.append(time.perf_counter())
            total: torch.Tensor = done.value()[0]
            return total / count

        work = dist.all_reduce(buffer, async_op=True)
        assert work is not None
        future: torch.futures.Future[torch.Tensor] = work.get_future().then(note)
        return future

    ddp.register_comm_hook(None, hook)
    x, seconds, exposed = torch.ones(1, requires_grad=True), list[float](), list[float]()
    for _ in range(WARMUP + STEPS):
        layers.pace = max(0.2, source.gauss(1.0, noise))
        steps.append([])
        start = time.perf_counter()
        ddp(x).backward()
        time.sleep(UPDATE)
        seconds.append(time.perf_counter() - start)
        exposed.append(max(ends[0] for *_, ends in steps[-1]) - steps[-1][-1][1])
    nothing = [0.0] * STEPS
    parts = Breakdown(
        at=0.0, run="ddp", rank=rank, step=seconds[WARMUP:], exposed=exposed[WARMUP:], input=nothing,
        transfer=nothing, forward=nothing, backward=nothing, optimizer=nothing,
    )  # fmt: skip
    buckets = [
        BucketTimes(same[0][0], [start for _, start, _ in same], [ends[0] for *_, ends in same])
        for same in zip(*steps[WARMUP:], strict=True)
    ]
    timed = CommunicationMeasured(
        at=0.0, run="ddp", rank=rank, buckets=buckets, synchronised=[], unsynchronised=[]
    )
    return parts, timed


def measure(nodes: Sequence[str], port: int, noise: float) -> tuple[float, BucketModel]:
    """Train on these machines; return the mean step of the slowest rank, and what is projected from it."""
    context = multiprocessing.get_context("fork")
    answers, count = context.Queue(), len(nodes)
    ranks = [
        context.Process(target=rank_main, args=(rank, count, node, port, noise, answers), daemon=True)
        for rank, node in enumerate(nodes)
    ]
    for process in ranks:
        process.start()
    told: list[list[RankEvent]] = [answers.get(timeout=TIMEOUT.total_seconds()) for _ in ranks]
    for process in ranks:
        process.join()
    spec = RunSpec(
        id="ddp", label="ddp", mode="ddp", devices=(), device_count=count, workloads=(Workload(),),
        measure=Measure(),
    )  # fmt: skip
    run = RunState(spec)
    for events in told:
        for event in events:
            run.apply(event)
    model = BucketModel.of([run], curve([run.ranks[0].bandwidth["all_reduce"]], count))
    assert model is not None
    steps = [rank.breakdown.step for rank in run.ranks.values() if rank.breakdown is not None]
    return statistics.fmean(map(max, zip(*steps, strict=True))), model


def main() -> None:
    noise = float(sys.argv[1]) if len(sys.argv) > 1 else 0.15
    found = {}
    with machines(max(COUNTS)) as nodes:
        for place, count in enumerate(COUNTS):
            found[count] = measure(nodes[:count], 40000 + place, noise)
            print(f"measured on {count}: {1e3 * found[count][0]:.0f} ms a step", flush=True)
    for base in COUNTS[:-1]:
        seconds, model = found[base]
        here = model.step(Layout(base, 1)).mean
        print(f"from {base} ({model.rate}): put together from its parts {here / seconds - 1:+.1%}")
        for count in COUNTS:
            if count > base:
                projected = seconds + model.step(Layout(count, 1)).mean - here
                print(
                    f"  {count}: {1e3 * projected:.0f} ms, throughput {found[count][0] / projected - 1:+.1%}"
                )


if __name__ == "__main__":
    main()
