"""What is special about GPUs, with stand-ins for the calls into CUDA; all else asks for no kind of device."""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from gpubench_tui.engine import training
from gpubench_tui.engine.plan.plan import Device, RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import MetricsLost, RankEvent, Steps
from gpubench_tui.engine.training.data.batches import LoaderBatches, ResidentBatches, make_batches
from gpubench_tui.engine.training.data.datasets import open_data
from gpubench_tui.engine.training.device.claim import claim_devices
from gpubench_tui.engine.training.device.clock import wait_for
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.device.cuda import CudaClock, CudaDevices
from gpubench_tui.engine.training.errors import TrainingError
from gpubench_tui.engine.training.parallel import modes, replication
from gpubench_tui.engine.training.parallel.modes import Shard, wrap_model
from gpubench_tui.engine.training.reporter import Reporter
from msgspec.structs import replace
from torch import nn


class Stream:
    """A GPU that does what was submitted to it when it is told to."""

    def __init__(self) -> None:
        self.submitted: list[Callable[[], None]] = []
        self.time = 100.0
        """Seconds by the GPU's clock."""

    def work(self, operations: int | None = None) -> None:
        """Do so many operations, or all; each takes a quarter of a second."""
        todo, self.submitted = self.submitted[:operations], self.submitted[len(self.submitted[:operations]) :]
        for operation in todo:
            self.time += 0.25
            operation()


class FakeEvent:
    """In the place of torch.cuda.Event."""

    made = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        type(self).made += 1
        self.at: float | None = None

    def record(self, stream: Stream) -> None:
        self.at = None
        stream.submitted.append(lambda: setattr(self, "at", stream.time))

    def query(self) -> bool:
        return self.at is not None

    def elapsed_time(self, end: FakeEvent) -> float:
        assert self.at is not None
        assert end.at is not None
        return 1000 * (end.at - self.at)


class Gpu:
    """In the place of what `torch.cuda` offers, for one process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int = 2) -> None:
        self.stream = Stream()
        self.calls: list[tuple[Any, ...]] = []
        self.count = count
        self.error: Exception | None = None
        FakeEvent.made = 0
        monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: self.stream)
        monkeypatch.setattr(torch.cuda, "synchronize", self._synchronize)
        monkeypatch.setattr(torch.cuda, "set_device", lambda device: self.calls.append(("set", device.index)))
        monkeypatch.setattr(torch.cuda, "init", self._init)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: self.count)

    def _synchronize(self, device: torch.device) -> None:
        self.calls.append(("synchronize", device.index))
        self.stream.work()

    def _init(self) -> None:
        self.calls.append(("init", os.environ.get("CUDA_VISIBLE_DEVICES")))
        if self.error is not None:
            raise self.error


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NCCL_SOCKET_IFNAME"):
        monkeypatch.setenv(name, "as it was")
    return Gpu(monkeypatch)


def test_a_cuda_clock_marks_late_and_uses_events_again(gpu: Gpu) -> None:
    clock = CudaClock([torch.device("cuda", 1), torch.device("cuda", 0)])
    start, end = clock.mark(), clock.mark()
    assert not clock.reached(start)
    gpu.stream.work(1)
    assert clock.reached(start)
    assert not clock.reached(end)
    clock.synchronize()
    assert gpu.calls == [("synchronize", 1), ("synchronize", 0)]
    assert clock.seconds(start, end) == pytest.approx(0.25)
    clock.release(start)
    assert clock.mark() is start
    assert FakeEvent.made == 2
    assert not clock.reached(start)
    clock.enter_thread()
    assert gpu.calls[-1] == ("set", 1)


def test_waiting_for_a_gpu_shows_life_until_it_is_done(gpu: Gpu) -> None:
    clock = CudaClock([torch.device("cuda", 0)])
    looks = []

    def waiting() -> None:
        looks.append(1)
        if len(looks) == 3:
            gpu.stream.work()

    wait_for(clock, waiting, seconds=60)
    assert len(looks) == 3
    assert gpu.calls == [("synchronize", 0)]


class PinnedBuffer:
    """Host memory that the GPU fills when it comes to the copy."""

    def __init__(self, stream: Stream, values: int) -> None:
        self._stream = stream
        self._values = [float("nan")] * values

    def copy_(self, source: torch.Tensor, non_blocking: bool) -> None:
        assert non_blocking
        self._stream.submitted.append(lambda: setattr(self, "_values", source.tolist()))

    def tolist(self) -> list[float]:
        return self._values


class ReportingDevices(CudaDevices):
    stream: Stream

    def host_buffer(self, values: int) -> Any:
        return PinnedBuffer(self.stream, values)


class Listener:
    """What the session process is to a rank: another reader of the pipe, which the rank cannot close."""

    def __init__(self, queue: Any) -> None:
        self._end = Connection(os.dup(queue._reader.fileno()), writable=False)

    def nothing_comes(self) -> bool:
        return not self._end.poll(0.4)

    def next(self, events: int) -> list[RankEvent]:
        """So many events, however long they take."""
        found: list[RankEvent] = []
        while len(found) < events:
            found += self._end.recv()
        return found


def test_losses_are_read_only_after_the_gpu_has_copied_them(gpu: Gpu) -> None:
    """The order is: end of the last step, copy, `ready`, read. Whatever the GPU has not done is not read."""
    devices = ReportingDevices([1])
    devices.stream = gpu.stream
    queue = get_context("spawn").Queue(100)
    listener = Listener(queue)
    reporter = Reporter("01-test", 0, time.monotonic(), queue, devices)
    reporter.begin()
    for loss in (3.0, 2.0, 1.0):
        reporter.step(torch.tensor(loss), 4, 0.1)
    reporter.phase("finishing")  # hands the steps over
    operations = len(gpu.stream.submitted)
    assert operations == 6  # four marks, the copy, `ready`
    gpu.stream.work(operations - 1)
    assert listener.nothing_comes()
    gpu.stream.work()
    steps, phase = listener.next(2)
    assert isinstance(steps, Steps)
    assert steps.loss == [3.0, 2.0, 1.0]
    assert steps.seconds == pytest.approx([0.25] * 3)
    assert phase.phase == "finishing"
    # Every event has come back: the next chunk makes no more of them than the last end, which is kept.
    made = FakeEvent.made
    reporter.begin()
    reporter.step(torch.tensor(0.5), 4, 0.1)
    gpu.stream.work()
    reporter.phase("finishing")
    gpu.stream.work()
    assert FakeEvent.made == made
    assert listener.next(2)[0].loss == [0.5]
    # What a GPU that hangs never does is counted as lost.
    reporter.begin()
    reporter.step(torch.tensor(0.25), 4, 0.1)
    reporter.fail("raised", "the GPU hangs")
    reporter.close()
    lost, failed = listener.next(2)
    assert isinstance(lost, MetricsLost)
    assert (lost.steps, failed.message) == (1, "the GPU hangs")


def gpus(*uuids: str | None) -> tuple[Device, ...]:
    return tuple(Device("cuda", index, f"GPU {index}", uuid) for index, uuid in enumerate(uuids))


def run_on(mode: str, devices: tuple[Device, ...]) -> RunSpec:
    return RunSpec(
        id="01",
        label="",
        mode=mode,
        devices=devices,
        device_count=len(devices),
        workloads=(Workload(),),
        measure=Measure(),
    )


@pytest.mark.parametrize(
    ("mode", "uuids", "rank", "visible", "own"),
    [
        ("ddp", ("GPU-a", "GPU-b"), 1, "GPU-a,GPU-b", [1]),
        ("dp", ("GPU-a", "GPU-b"), 0, "GPU-a,GPU-b", [0, 1]),
        ("fsdp", (None, None), 0, "0,1", [0]),
        ("ddp", ("GPU-a", "GPU-a"), 1, "GPU-a", [0]),
        ("single", ("MIG-c",), 0, "MIG-c", [0]),
    ],
)
def test_a_rank_claims_its_gpus_and_keeps_nccl_on_loopback(
    mode: str, uuids: tuple[str | None, ...], rank: int, visible: str, own: list[int], gpu: Gpu
) -> None:
    affinity = os.sched_getaffinity(0)
    threads = torch.get_num_threads()
    devices = claim_devices(run_on(mode, gpus(*uuids)), rank)
    assert devices.indices == own
    assert devices.first == torch.device("cuda", own[0])
    # All of it was in place before CUDA was touched for the first time.
    assert gpu.calls == [("init", visible), ("set", own[0])]
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert os.environ["NCCL_SOCKET_IFNAME"] == "=lo"
    assert os.sched_getaffinity(0) == affinity
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("mode", "rank", "cores"), [("ddp", 1, {0}), ("dp", 0, {0, 1})])
def test_a_rank_of_gpus_stays_on_their_cores_and_feeds_them_with_one_thread(
    mode: str, rank: int, cores: set[int], gpu: Gpu
) -> None:
    affinity, threads = os.sched_getaffinity(0), torch.get_num_threads()
    allowed = sorted(affinity)[:2]
    first, second = (
        replace(device, cores=(core,))
        for device, core in zip(gpus("GPU-a", "GPU-b"), reversed(allowed * 2), strict=False)
    )
    try:
        claim_devices(run_on(mode, (first, second)), rank)
        assert os.sched_getaffinity(0) == {allowed[core % len(allowed)] for core in cores}
        assert torch.get_num_threads() == 1
    finally:
        os.sched_setaffinity(0, affinity)
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("error", "count", "words"),
    [
        (
            RuntimeError("Error 802: system not yet initialized\nstack"),
            2,
            r"cannot use GPU 1 \(GPU-a, GPU-b\): Error 802: system not yet initialized$",
        ),
        (AssertionError("Torch not compiled with CUDA enabled"), 2, "not compiled with CUDA enabled$"),
        (RuntimeError(), 2, "RuntimeError$"),
        (None, 1, "CUDA shows 1 of 2 GPUs$"),
    ],
)
def test_why_a_gpu_cannot_be_used_is_said(error: Exception | None, count: int, words: str, gpu: Gpu) -> None:
    gpu.error, gpu.count = error, count
    with pytest.raises(TrainingError, match=words):
        claim_devices(run_on("ddp", gpus("GPU-a", "GPU-b")), 1)


def test_memory_is_counted_on_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    reset: list[tuple[str, int]] = []
    used = {"allocated": 5, "reserved": 8}
    for name in ("reset_peak_memory_stats", "reset_accumulated_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda device, name=name: reset.append((name, device.index)))
    for name, value in used.items():
        monkeypatch.setattr(
            torch.cuda, f"max_memory_{name}", lambda device, value=value: 10 * value + device.index
        )
        monkeypatch.setattr(torch.cuda, f"memory_{name}", lambda device, value=value: value)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 1000))
    statistics = [{"num_alloc_retries": 4}, {}]
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda device: statistics[device.index])
    devices = CudaDevices([0, 1])
    devices.reset_peaks()
    assert [index for _, index in reset] == [0, 0, 1, 1]
    assert len(set(reset)) == 4
    assert devices.peaks() == ([50, 51], [80, 81])
    assert devices.allocator_retries() == [4, None]
    # What torch has cached can be allocated too.
    assert devices.free_memory(ranks=2) == 103


def test_gpus_are_described_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["NVIDIA L4", "NVIDIA H200", "NVIDIA L4"]
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: names[device.index])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda, "nccl", SimpleNamespace(version=lambda: (2, 27, 5)))
    devices = CudaDevices([0, 1, 2])
    assert devices.describe() == "2 x NVIDIA L4 + NVIDIA H200"
    assert [device.describe() for device in devices.split()] == names
    assert devices.settings("cpu:gloo,cuda:nccl")["nccl"] == "2.27.5"
    assert devices.settings("gloo").keys() == {"cuda", "cudnn", "compute_capability"}


def test_what_a_gpu_copies_lies_in_page_locked_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(torch, "empty", lambda values, **options: asked.append((values, options)))
    CudaDevices([0]).host_buffer(7)
    assert asked == [(7, {"pin_memory": True})]
    order = SimpleNamespace(pin_memory=lambda: SimpleNamespace(to=lambda *a, **k: (a, k)))
    assert CudaDevices([1]).upload(order) == ((torch.device("cuda", 1),), {"non_blocking": True})  # type: ignore[arg-type]


class PinningDevices(CpuDevices):
    """A CPU to which all goes as it goes to a GPU."""

    pins_memory = True

    def __init__(self) -> None:
        self.uploaded: list[torch.Tensor] = []

    def upload(self, tensor: torch.Tensor) -> torch.Tensor:
        self.uploaded.append(tensor)
        return tensor


def test_batches_reach_a_gpu_by_page_locked_memory(tmp_path: Path) -> None:
    devices = PinningDevices()
    for placement in ("device", "loader"):
        workload = Workload(model="lenet", images=60, batch=20, placement=placement)
        sets = open_data(workload, tmp_path, print)
        batches = make_batches(sets, workload, Shard(), 20, devices, 0, print)
        if isinstance(batches, LoaderBatches):
            assert batches._loader.pin_memory
        else:
            assert isinstance(batches, ResidentBatches)
            assert len(list(batches.train(0, 2))) == 6
            assert [len(order) for order in devices.uploaded] == [60, 60]  # an epoch's order at once


def test_parallel_wrappers_are_given_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, list[int] | None]] = []

    def wrapper(name: str) -> Callable[..., nn.Module]:
        return lambda model, device_ids, **_: given.append((name, device_ids)) or model

    monkeypatch.setattr(modes, "BatchParallel", wrapper("dp"))
    monkeypatch.setattr(replication, "DistributedDataParallel", wrapper("ddp"))
    wrap_model(nn.Linear(1, 1), "dp", CudaDevices([0, 2]), Workload())
    wrap_model(nn.Linear(1, 1), "ddp", CudaDevices([1]), Workload())
    wrap_model(nn.Linear(1, 1), "ddp", CpuDevices(), Workload())
    assert given == [("dp", [0, 2]), ("ddp", [1]), ("ddp", None)]


HOME = Path(training.__file__).parent


@pytest.mark.parametrize(
    "file",
    [path for path in HOME.rglob("*.py") if path.parent.name != "device"],
    ids=lambda path: str(path.relative_to(HOME)),
)
def test_only_the_device_package_asks_what_a_device_is(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr != "is_cuda", node.lineno
            assert ast.unparse(node) != "torch.cuda", node.lineno
        if isinstance(node, ast.Compare | ast.Match) and "KEYWORD" not in ast.unparse(node):  # of a function
            operands = [node.left, *node.comparators] if isinstance(node, ast.Compare) else [node.subject]
            asked = [each for each in operands if isinstance(each, ast.Attribute)]
            assert all(each.attr not in ("type", "kind") for each in asked), node.lineno
