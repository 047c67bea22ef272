"""Whole runs on CPU devices, each rank a process of its own with a core of its own."""

from __future__ import annotations

import os
import threading
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import pytest
import torch
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    Evaluation,
    MetricsLost,
    ModelBuilt,
    PhaseChanged,
    RankFailed,
    RankFinished,
    RankMeasured,
    RankStarted,
    Steps,
    Window,
)
from PIL import Image

pytestmark = pytest.mark.slow

LENET = Workload(model="lenet", images=1000, batch=20, learning_rate=0.05)

two_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")


def test_two_ranks_of_ddp_train_as_one_process_on_the_joined_batch(ranks: ModuleType, tmp_path: Path) -> None:
    """Same losses, same gradients and same weights after some steps, from the engine's own trainer."""
    saved = {}
    for mode, devices, batch in (("single", 1, 32), ("ddp", 2, 16)):
        workload = Workload(model="lenet", images=200, batch=batch, learning_rate=0.1, weight_decay=1e-3)
        folder = tmp_path / mode
        done = ranks.launch(ranks.cpu_run(mode, devices, workload), folder, worker="ranks:take_steps")
        assert not done.failed, done.log.read_text()
        saved[mode] = [torch.load(folder / "meeting" / f"rank{rank}.pt") for rank in range(devices)]
    (single,) = saved["single"]
    first, second = saved["ddp"]
    assert len(single["gradients"]) == ranks.STEPS
    for rank in (first, second):
        torch.testing.assert_close(rank["gradients"], single["gradients"], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(rank["weights"], single["weights"], rtol=1e-4, atol=1e-6)
        assert rank["evaluated"] == pytest.approx(single["evaluated"], rel=1e-4)
        assert rank["equal"]
    assert first["losses"] != second["losses"]
    means = [(a + b) / 2 for a, b in zip(first["losses"], second["losses"], strict=True)]
    assert means == pytest.approx(single["losses"], rel=1e-4)


@pytest.mark.parametrize(("mode", "devices"), [("single", 1), ("ddp", 2), ("concurrent", 2)])
def test_a_run_measured_in_windows(mode: str, devices: int, ranks: ModuleType, tmp_path: Path) -> None:
    workloads = [LENET, LENET] if mode == "concurrent" else LENET
    done = ranks.launch(ranks.cpu_run(mode, devices, workloads), tmp_path)
    assert not done.failed, done.log.read_text()
    for rank in range(devices):
        events = done.events[rank]
        assert [type(event) for event in events[:2]] == [RankStarted, PhaseChanged]
        assert isinstance(events[-1], RankFinished)
        assert [event.parameters for event in done.of(ModelBuilt, rank)] == [62_006]
        phases = [event.phase for event in done.of(PhaseChanged, rank) if not event.note]
        assert phases == ["loading data", "building model", "warming up", "measuring", "finishing"]
        # Every step is reported once and in order, and windows own steps that were reported before them.
        seen = 0
        for event in events:
            if isinstance(event, Steps):
                assert event.first == seen
                seen += len(event.seconds)
            elif isinstance(event, Window):
                assert seen >= event.steps
                assert event.samples == 20 * event.steps
                assert event.seconds > 0
        finished, measured = done.of(RankFinished, rank)[0], done.of(RankMeasured, rank)[0]
        assert seen == finished.steps
        assert finished.samples == 20 * seen
        assert measured.peak_memory_bytes[0] > 50_000_000
        assert measured.replicas_equal is (True if mode == "ddp" else None)
        assert measured.stop_reason == "time limit of 0.3 s"
        windows = done.of(Window, rank)
        assert [window.index for window in windows] == list(range(len(windows)))
        assert len(windows) >= 3
    # The same windows on every rank; in ddp of the same number of steps.
    assert len({len(done.of(Window, rank)) for rank in range(devices)}) == 1
    if mode == "ddp":
        assert len({window.steps for rank in range(2) for window in done.of(Window, rank)}) == 1


def test_warm_up_belongs_to_no_window(ranks: ModuleType, tmp_path: Path) -> None:
    measure = Measure(detail=0, windows=2, window_seconds=0.05, seconds=0.2, target=0, warmup_steps=25)
    done = ranks.launch(ranks.cpu_run("single", 1, LENET, measure), tmp_path)
    windows = done.of(Window)
    assert done.of(RankFinished)[0].steps - sum(window.steps for window in windows) >= 25
    before = [e for e in done.events[0][: done.events[0].index(windows[0])] if isinstance(e, Steps)]
    assert sum(len(event.seconds) for event in before) >= 25 + windows[0].steps


def test_the_interval_ends_a_measurement(ranks: ModuleType, tmp_path: Path) -> None:
    measure = Measure(detail=0, windows=2, window_seconds=0.1, seconds=60, target=0.9, warmup_steps=1)
    done = ranks.launch(ranks.cpu_run("single", 1, LENET, measure), tmp_path)
    assert done.of(RankMeasured)[0].stop_reason.endswith("% within 90%")


def test_settings_are_those_that_the_users_own_file_leaves(ranks: ModuleType, tmp_path: Path) -> None:
    workload = Workload(model=f"{Path(__file__).with_name('own_models.py')}:switching", images=400, batch=8)
    measure = Measure(detail=0, windows=2, window_seconds=0.05, seconds=0.1, target=0, warmup_steps=1)
    done = ranks.launch(ranks.cpu_run("single", 1, workload, measure), tmp_path)
    (before,), (after,) = done.of(RankStarted), done.of(ModelBuilt)
    kept = [(each.settings["threads"], each.settings["cudnn_benchmark"]) for each in (before, after)]
    assert kept == [(1, True), (2, False)]
    assert "NCCL_ALGO=Ring" in str(after.settings["environment"])


@two_cores
def test_every_rank_has_its_own_core(ranks: ModuleType, tmp_path: Path) -> None:
    done = ranks.launch(ranks.cpu_run("ddp", 2, LENET), tmp_path)
    started = [done.of(RankStarted, rank)[0] for rank in range(2)]
    assert len({event.settings["affinity"] for event in started}) == 2
    assert {event.settings["threads"] for event in started} == {1}
    assert {event.settings["omp_num_threads"] for event in started} == {
        os.environ.get("OMP_NUM_THREADS", "unset")
    }
    assert {event.device for event in started} == {"cpu (1 thread)"}


@pytest.mark.parametrize("placement", ["device", "loader"])
@pytest.mark.parametrize(("mode", "devices"), [("single", 1), ("ddp", 2)])
def test_epochs_learn_through_both_placements(
    mode: str, devices: int, placement: str, ranks: ModuleType, tmp_path: Path
) -> None:
    workload = Workload(
        model="lenet",
        images=1000,
        batch=20 // devices,
        learning_rate=0.02,
        placement=placement,
        loader_workers=devices,
        augment=("crop",),
        channels_last=devices > 1,
    )
    measure = Measure(detail=0, epochs=2, warmup_steps=3, window_seconds=0.2, seconds=0.5)
    done = ranks.launch(ranks.cpu_run(mode, devices, workload, measure), tmp_path)
    assert not done.failed, done.log.read_text()
    built = done.of(ModelBuilt)[0]
    assert built.steps_per_epoch == 50
    trained: dict[int, list[float]] = {1: [], 2: []}
    for rank in range(devices):
        for epoch, seconds in trained.items():
            windows = [window for window in done.of(Window, rank) if window.epoch == epoch]
            assert sum(window.steps for window in windows) == built.steps_per_epoch
            seconds.append(sum(window.seconds for window in windows))
        assert done.of(RankMeasured, rank)[0].stop_reason == "2 epochs"
    first, last = done.of(Evaluation)
    assert (first.epoch, last.epoch) == (1, 2)
    assert (first.seconds, last.seconds) == (max(trained[1]), max(trained[2]))
    assert last.test_accuracy > 0.5
    assert last.train_loss < first.train_loss
    assert last.train_accuracy > first.train_accuracy
    assert last.test_accuracy * 200 == pytest.approx(round(last.test_accuracy * 200))
    if devices > 1:
        assert done.of(Evaluation, 1) == []


def test_warm_up_leaves_no_trace_in_a_training_by_epochs(ranks: ModuleType, tmp_path: Path) -> None:
    losses = []
    for warmup in (1, 12):
        measure = Measure(detail=0, epochs=1, warmup_steps=warmup, window_seconds=0.1, seconds=0.1)
        workload = Workload(model="cnn", images=200, batch=20, optimizer="adamw", learning_rate=1e-3)
        done = ranks.launch(ranks.cpu_run("single", 1, workload, measure), tmp_path / str(warmup))
        losses.append(done.of(Evaluation)[0].train_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_concurrent_ranks_train_workloads_of_their_own(ranks: ModuleType, tmp_path: Path) -> None:
    workloads = [LENET, Workload(model="cnn", images=200, batch=20, learning_rate=0.02)]
    measure = Measure(detail=0, epochs=1, warmup_steps=1, window_seconds=0.1, seconds=0.2)
    done = ranks.launch(ranks.cpu_run("concurrent", 2, workloads, measure), tmp_path)
    assert not done.failed, done.log.read_text()
    assert [done.of(ModelBuilt, rank)[0].parameters for rank in range(2)] == [62_006, 1_147_466]
    assert [len(done.of(Evaluation, rank)) for rank in range(2)] == [1, 1]


def test_a_full_queue_costs_metrics_and_no_step(ranks: ModuleType, tmp_path: Path) -> None:
    asleep = threading.Event()
    timer = threading.Timer(2.5, asleep.set)
    timer.start()
    measure = Measure(detail=0, windows=2, window_seconds=0.2, seconds=1.0, target=0, warmup_steps=1)
    run = ranks.cpu_run("single", 1, LENET, measure)
    done = ranks.launch(run, tmp_path, maxsize=2, listen=lambda _: asleep.is_set())
    assert not done.failed
    kept = sum(len(event.seconds) for event in done.of(Steps))
    lost = sum(event.steps for event in done.of(MetricsLost))
    assert lost > 0
    assert kept + lost == done.of(RankFinished)[0].steps
    assert len(done.of(Window)) >= 2


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_on_a_cpu(precision: str, ranks: ModuleType, tmp_path: Path) -> None:
    model = "lenet" if precision == "bf16" else f"{Path(__file__).with_name('own_models.py')}:perceptron"
    workload = Workload(
        model=model, images=500, batch=20, learning_rate=0.02, precision=precision, channels_last=True
    )
    measure = Measure(detail=0, epochs=2, warmup_steps=1, seconds=0.1)
    done = ranks.launch(ranks.cpu_run("single", 1, workload, measure), tmp_path)
    assert not done.failed, done.log.read_text()
    first, last = done.of(Evaluation)
    assert last.train_loss < first.train_loss
    assert last.test_accuracy > 0.2


def images_in(root: Path) -> Path:
    for part, count in (("train", 20), ("test", 4)):
        for name, colour in (("blue", (0, 0, 200)), ("red", (200, 0, 0))):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (32, 32), colour).save(root / part / name / f"{number}.png")
    return root


@pytest.mark.parametrize("placement", ["device", "loader"])
def test_a_folder_of_images_is_learnt(placement: str, ranks: ModuleType, tmp_path: Path) -> None:
    workload = Workload(
        model="lenet",
        data="folder",
        data_dir=str(images_in(tmp_path / "images")),
        classes=2,
        batch=8,
        placement=placement,
        loader_workers=1,
        learning_rate=0.02,
    )
    measure = Measure(detail=0, epochs=3, warmup_steps=1, seconds=0.1)
    done = ranks.launch(ranks.cpu_run("single", 1, workload, measure), tmp_path / "run")
    assert not done.failed, done.log.read_text()
    assert done.of(Evaluation)[-1].test_accuracy == 1


@pytest.mark.parametrize(("worker", "fails"), [(None, False), ("own_data:work", True)])
def test_ranks_read_the_same_images(
    worker: str | None, fails: bool, ranks: ModuleType, tmp_path: Path
) -> None:
    folder = images_in(tmp_path / "images")
    (folder / "train" / ".ipynb_checkpoints").mkdir()
    workload = Workload(model="lenet", data="folder", data_dir=str(folder), classes=2, batch=4)
    run = ranks.cpu_run("ddp", 2, workload)
    done = ranks.launch(run, tmp_path / "run", worker=worker or ranks.WORKER)
    assert done.failed is fails
    failures = [event for rank in (0, 1) for event in done.of(RankFailed, rank)]
    assert bool(failures) is fails
    assert all("found different images in data_dir" in failure.message for failure in failures)


def failing(tmp_path: Path) -> dict[str, tuple[Any, str, str]]:
    bad = images_in(tmp_path / "images") / "train" / "red" / "3.png"
    bad.write_bytes(b"no image")
    own = tmp_path / "own.py"
    own.write_text(
        "import torch\n"
        "class Grows(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.last = torch.nn.Linear(3072, 10)\n"
        "    def forward(self, x):\n"
        "        if not hasattr(self, 'late'):\n"
        "            self.late = torch.nn.Linear(10, 10)\n"
        "        return self.late(self.last(x.flatten(1)))\n"
        "def grows(classes): return Grows()\n"
        "class Raises(Grows):\n"
        "    def forward(self, x): raise ValueError('no such thing')\n"
        "def raises(classes): return Raises()\n"
        "class Pair(Grows):\n"
        "    def forward(self, x): return {'x': self.last(x.flatten(1))}\n"
        "def pair(classes): return Pair()\n"
        "class Huge(Grows):\n"
        "    def forward(self, x): return torch.zeros(10**15)\n"
        "def huge(classes): return Huge()\n"
    )
    folder = {"data": "folder", "data_dir": str(tmp_path / "images"), "classes": 2, "batch": 4}
    return {
        "lazy parameters": ({"model": f"{own}:grows"}, "raised", "late.weight"),
        "an error": ({"model": f"{own}:raises"}, "raised", "ValueError: no such thing"),
        "no logits": ({"model": f"{own}:pair"}, "raised", "returns dict, not a tensor"),
        "out of memory": ({"model": f"{own}:huge"}, "out of memory", "batch of 20 per device"),
        "corrupt, device": (folder, "no data", str(bad)),
        "corrupt, loader": (folder | {"placement": "loader"}, "no data", str(bad)),
        "no such model": ({"model": "lenett"}, "raised", "there is no model"),
        "too few images": ({"images": 10}, "raised", "10 images"),
    }


@pytest.mark.parametrize(
    "case",
    [
        *("lazy parameters", "an error", "no logits", "out of memory"),
        *("corrupt, device", "corrupt, loader", "no such model", "too few images"),
    ],
)
def test_a_failure_is_one_sentence_and_its_traceback_is_in_the_log(
    case: str, ranks: ModuleType, tmp_path: Path
) -> None:
    changes, kind, words = failing(tmp_path)[case]
    workload = Workload(**({"model": "lenet", "images": 100, "batch": 20} | changes))
    done = ranks.launch(ranks.cpu_run("single", 1, workload), tmp_path / "run")
    assert done.exits == [1]
    failed = done.events[0][-1]
    assert isinstance(failed, RankFailed)
    assert failed.kind == kind
    assert words in failed.message
    assert "\n" not in failed.message
    assert "Traceback" in done.log.read_text()


def test_step_times_fill_the_time_of_their_window(ranks: ModuleType, tmp_path: Path) -> None:
    done = ranks.launch(ranks.cpu_run("single", 1, LENET), tmp_path)
    steps: list[float] = []
    shares: list[float] = []
    for event, following in pairwise(done.events[0]):
        if isinstance(event, Steps):
            steps += event.seconds
            if isinstance(following, Window):
                shares.append(sum(steps[-following.steps :]) / following.seconds)
    # Of all windows: a single one may have lost the processor between two looks at the clock.
    assert median(shares) == pytest.approx(1, rel=0.1)
