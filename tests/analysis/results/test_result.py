import math
import random
from collections.abc import Sequence

import pytest
from building.sessions import (
    CORES,
    GIB,
    evaluations,
    failed,
    measured,
    opening,
    rank_measured,
    rank_up,
    session,
    spec,
    steps,
    windows,
)
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.columns import ordered, result_columns, side_by_side
from gpubench_tui.engine.analysis.results.result import Result, result_of
from gpubench_tui.engine.host.facts import CpuSample, GpuSample
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.plan.preset.preset import Measure, Mode
from gpubench_tui.engine.plan.workload.workload import Precision, Workload
from gpubench_tui.engine.record.events import (
    Event,
    RankFinished,
    RankMeasured,
    RunFinished,
    RunStarted,
    Sampled,
    SessionFinished,
)
from gpubench_tui.engine.record.session import Session, fold
from gpubench_tui.engine.statistics import median_interval
from msgspec.structs import replace

SINGLE = spec("single", "single", baseline="single")
DDP = spec("ddp", "ddp", 2, baseline="single")
CNN, VIT = Workload(name="cnn", model="cnn"), Workload(name="vit", model="vit-small")


def one(folded: Session, run: str) -> Result:
    return result_of(folded, run)


def test_throughput_is_everyones_samples_over_the_slowest_ranks_seconds() -> None:
    folded = session(opening(SINGLE, DDP), measured("ddp", [[1.0, 2.0, 1.0], [1.6, 1.0, 1.0]]))
    result = one(folded, "ddp")
    # 1280 samples a window; the slowest rank took 1.6, 2.0 and 1.0 s: 800, 640 and 1280 samples/s.
    assert result.throughput == pytest.approx(800)
    assert result.spread == pytest.approx(1.4826 * 160)
    assert result.windows == 3
    assert result.throughput_per_device == pytest.approx(400)
    assert result.step_seconds == pytest.approx(1.6 / 5)
    assert result.interval is None, "three windows are too few"


def test_windows_that_a_rank_did_not_report_are_left_out() -> None:
    folded = session(opening(SINGLE, DDP), measured("ddp", [[1.0, 1.0, 9.0], [1.0, 1.0]]))
    result = one(folded, "ddp")
    assert (result.windows, result.throughput) == (2, pytest.approx(1280))


def test_the_interval_is_that_of_the_median() -> None:
    seconds = [1.0, 1.0, 1.25, 1.0, 1.0, 1.28, 0.98, 1.01, 0.99, 1.0]
    result = one(session(opening(SINGLE), measured("single", [seconds])), "single")
    assert result.throughput == 640
    assert result.interval is not None
    assert result.interval == pytest.approx(median_interval([640 / each for each in seconds]))
    assert result.interval[0] < 640 < result.interval[1]


def test_one_window_has_no_interval() -> None:
    result = one(session(opening(SINGLE), measured("single", [[1.0]])), "single")
    assert (result.throughput, result.spread, result.interval) == (640, None, None)


def test_speedup_and_efficiency_against_the_baseline() -> None:
    folded = session(
        opening(SINGLE, DDP),
        measured("single", [[1.0, 1.01, 0.99, 1.0, 1.02]]),
        measured("ddp", [[1.05, 1.06, 1.04, 1.03, 1.07], [1.04, 1.05, 1.03, 1.02, 1.01]]),
    )
    single, ddp = analyse(folded).results
    assert (single.speedup, single.efficiency, single.scaling) == (1.0, 1.0, None)
    assert ddp.speedup == pytest.approx(2 / 1.05)
    assert ddp.efficiency == pytest.approx(1 / 1.05)
    assert ddp.speedup_interval is not None
    assert ddp.speedup_interval[0] <= 2 / 1.05 <= ddp.speedup_interval[1]
    assert ddp.efficiency_interval == pytest.approx([limit / 2 for limit in ddp.speedup_interval])
    assert ddp.scaling == "weak"
    assert ddp.peak_memory_bytes == 2 * GIB, "that of the device which used most"
    assert ddp.stop_reason == "time limit of 30 s"
    assert analyse(folded).headline == "ddp on 2 devices is 1.90x as fast as single (efficiency 95.2%)"


def test_the_global_batch_kept_is_strong_scaling() -> None:
    shared = Workload(name="cnn", batch=128, batch_scope="global")
    folded = session(
        opening(
            spec("single", "single", baseline="single", workloads=[shared]),
            spec("ddp", "ddp", 2, baseline="single", workloads=[shared]),
        ),
        measured("single", [[1.0, 1.0]]),
        measured("ddp", [[1.0, 1.0], [1.0, 1.0]], samples=320),
    )
    result = one(folded, "ddp")
    assert (result.scaling, result.batch_per_device, result.global_batch) == ("strong", 64, 128)
    assert result.speedup == pytest.approx(1.0)


def test_a_baseline_on_several_devices_is_the_unit_of_efficiency() -> None:
    folded = session(
        opening(spec("two", "ddp", 2, baseline="two"), spec("four", "ddp", 4, baseline="two")),
        measured("two", [[1.0, 1.0]] * 2),
        measured("four", [[1.0, 1.0]] * 4),
    )
    assert one(folded, "four").speedup == pytest.approx(2.0)
    assert one(folded, "four").efficiency == pytest.approx(1.0)
    assert one(folded, "four").notes == ()


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        (failed("single", "no luck"), "failed: no luck"),
        ([], "stopped: the session ended"),
        ([RunFinished(at=1.0, run="single", outcome="skipped", reason="by hand")], "skipped: by hand"),
    ],
)
def test_without_its_baseline_a_run_has_no_speedup_and_says_why(baseline: list[Event], words: str) -> None:
    folded = session(opening(SINGLE, DDP), baseline, measured("ddp", [[1.0, 1.0]] * 2))
    result = one(folded, "ddp")
    assert (result.speedup, result.speedup_interval, result.efficiency) == (None, None, None)
    assert result.throughput == pytest.approx(1280)
    (note,) = result.notes
    assert words in note
    assert analyse(folded).headline.startswith("ddp x2 trains 1,280 samples/s")


def test_other_settings_are_not_comparable() -> None:
    folded = session(
        opening(SINGLE, DDP),
        measured("single", [[1.0, 1.0]], settings={"threads": 1, "tf32": False, "backend": "none"}),
        measured("ddp", [[1.0, 1.0]] * 2, settings={"threads": 2, "tf32": False, "backend": "gloo"}),
    )
    result = one(folded, "ddp")
    assert result.speedup is None
    (note,) = result.notes
    assert "not comparable" in note
    assert "threads: 2 against 1" in note
    assert "tf32" not in note
    assert "backend" not in note


def test_what_is_under_test_may_differ() -> None:
    def own(rank: int) -> dict[str, str | int | float | bool]:
        return {"threads": 1, "affinity": str(rank), "batch_per_device": rank, "global_batch": rank}

    folded = session(
        opening(SINGLE, DDP),
        measured("single", [[1.0, 1.0]], settings=own(0)),
        measured("ddp", [[1.0, 1.0]] * 2, settings=own(1)),
    )
    assert one(folded, "ddp").speedup == pytest.approx(2.0)


def test_runs_of_one_fingerprint_are_those_that_may_be_compared() -> None:
    def digests(settings: dict[str, str | int | float | bool], workload: Workload = CNN) -> list[str | None]:
        runs = [spec("single", "single", workloads=[CNN]), spec("ddp", "ddp", 2, workloads=[workload])]
        folded = session(
            opening(*runs),
            measured("single", [[1.0, 1.0]], settings={"threads": 1, "backend": "none", "affinity": "0"}),
            measured("ddp", [[1.0, 1.0]] * 2, settings=settings),
        )
        return [result.fingerprint for result in analyse(folded).results]

    single, ddp = digests({"threads": 1, "backend": "gloo", "affinity": "1"})
    assert single is not None
    assert single == ddp
    assert digests({"threads": 2, "backend": "gloo"})[0] == single
    assert digests({"threads": 2, "backend": "gloo"})[1] != single
    assert digests({"threads": 1, "backend": "gloo"}, VIT)[1] != single
    learns_faster = Workload(name="fast", model="cnn", batch=512, learning_rate=0.5, warmup_epochs=2.0)
    assert digests({"threads": 1}, learns_faster)[1] == single, "what is learnt is not how fast"
    assert one(session(opening(SINGLE)), "single").fingerprint is None


def test_one_odd_rank_makes_a_run_not_comparable() -> None:
    folded = session(
        opening(SINGLE, DDP),
        measured("single", [[1.0, 1.0]]),
        [
            *rank_up("ddp", 0),
            *rank_up("ddp", 1, {"threads": 1, "device": "another GPU"}),
            *windows("ddp", 0, [1.0, 1.0]),
            *windows("ddp", 1, [1.0, 1.0]),
            RunFinished(at=9.0, run="ddp", outcome="measured"),
        ],
    )
    assert "another GPU" in one(folded, "ddp").notes[0]


def test_more_than_linear_raises_an_alarm() -> None:
    folded = session(
        opening(SINGLE, DDP), measured("single", [[1.0, 1.0]]), measured("ddp", [[0.9, 0.9]] * 2)
    )
    result = one(folded, "ddp")
    assert result.speedup == pytest.approx(2 / 0.9)
    (note,) = result.notes
    assert note.startswith("super-linear: 2.22x")


def test_another_mode_on_as_many_devices_is_no_alarm_and_no_efficiency() -> None:
    folded = session(
        opening(DDP, spec("fsdp", "fsdp", 2, baseline="ddp")),
        measured("ddp", [[1.0, 1.0]] * 2),
        measured("fsdp", [[0.5, 0.5]] * 2),
    )
    result = one(folded, "fsdp")
    assert result.speedup == pytest.approx(2.0)
    assert result.efficiency is None and result.notes == ()


def test_another_batch_is_no_alarm_and_no_efficiency() -> None:
    large = Workload(name="cnn", batch=1024)
    folded = session(
        opening(SINGLE, spec("large", "single", baseline="single", workloads=[large])),
        measured("single", [[1.0, 1.0]]),
        measured("large", [[0.2, 0.2]]),
    )
    result = one(folded, "large")
    assert result.speedup == pytest.approx(5.0)
    assert result.efficiency is None
    assert [note.partition(":")[0] for note in result.notes] == ["the recipe changes with batch"]
    assert analyse(folded).headline == "single at batch 1024 is 5.00x as fast as single at batch 128"


def test_a_failed_run_has_no_figures_but_a_reason() -> None:
    folded = session(opening(SINGLE, DDP), measured("single", [[1.0, 1.0]]), failed("ddp"))
    result = one(folded, "ddp")
    assert (result.state, result.reason) == ("failed", "out of luck")
    assert (result.windows, result.throughput) == (0, None)
    assert result.failure is not None
    assert result.failure.rank == 1


def test_what_was_measured_before_the_stop_counts() -> None:
    events = [
        *opening(SINGLE, DDP),
        *measured("single", [[1.0, 1.0]]),
        RunStarted(at=11.0, run="ddp"),
        *rank_up("ddp", 0),
        *rank_up("ddp", 1),
        *windows("ddp", 0, [1.25, 1.25, 1.25]),
        *windows("ddp", 1, [1.25, 1.25, 1.25]),
        SessionFinished(at=20.0, outcome="stopped"),
    ]
    running = one(fold(events[:-1]), "ddp")
    assert (running.state, running.throughput, running.speedup) == ("running", pytest.approx(1024), None)
    stopped = one(fold(events), "ddp")
    assert (stopped.state, stopped.speedup) == ("stopped", pytest.approx(1.6))
    assert stopped.windows == 3


def test_the_last_epochs_accuracy_and_the_slowest_ranks_time() -> None:
    folded = session(
        opening(SINGLE, DDP),
        measured("ddp", [[1.0, 1.0]] * 2),
        evaluations("ddp", 0, [0.2, 0.4], seconds=3.0),
        evaluations("ddp", 1, [0.2, 0.4], seconds=4.0),
    )
    result = one(folded, "ddp")
    assert (result.epochs, result.test_accuracy, result.test_loss) == (2, 0.4, 1.25)
    assert result.epoch_seconds == pytest.approx(4.0)


def test_accuracies_of_two_recipes_are_called_so() -> None:
    folded = session(
        opening(SINGLE, DDP),
        measured("single", [[1.0, 1.0]]),
        evaluations("single", 0, [0.3]),
        measured("ddp", [[1.1, 1.1]] * 2),
        evaluations("ddp", 0, [0.2]),
    )
    (note,) = one(folded, "ddp").notes
    assert "not comparable" in note and "learning_rate_batch = 128" in note and "warmup_epochs" in note


def test_steps_alone_are_no_measurement() -> None:
    folded = session(opening(SINGLE), [*rank_up("single", 0), steps("single", 0, 0, [0.1] * 50)])
    assert one(folded, "single").throughput is None
    assert analyse(folded).headline == "Nothing was measured"


@pytest.mark.parametrize(
    ("said", "equal", "notes"), [((True, True), True, 0), ((True, False), False, 1), ((None, None), None, 0)]
)
def test_ranks_that_ended_apart_are_no_one_model(
    said: tuple[bool | None, ...], equal: bool | None, notes: int
) -> None:
    folded = session(
        opening(spec("ddp", "ddp", 2)),
        [
            *(event for rank in (0, 1) for event in windows("ddp", rank, [1.0, 1.0])),
            *(rank_measured("ddp", rank, replicas_equal=answer) for rank, answer in enumerate(said)),
            RunFinished(at=9.0, run="ddp", outcome="measured"),
        ],
    )
    result = one(folded, "ddp")
    assert result.replicas_equal is equal
    assert len(result.notes) == notes


@pytest.mark.parametrize(("names", "said"), [(("NVIDIA L4",) * 2, True), (("NVIDIA L4", "NVIDIA T4"), False)])
def test_unequal_gpus_may_end_with_unequal_parameters(names: tuple[str, ...], said: bool) -> None:
    """They round differently, and train one model all the same."""
    on = [Device("cuda", index, name, f"GPU-{index}") for index, name in enumerate(names)]
    ends = [rank_measured("ddp", rank, replicas_equal=False) for rank in (0, 1)]
    folded = session(opening(spec("ddp", "ddp", 2, on=on)), measured("ddp", [[1.0, 1.0]] * 2), ends)
    assert any("different parameters" in note for note in one(folded, "ddp").notes) is said


@pytest.mark.parametrize(("graphs", "said"), [(0, True), (3, False), (None, False)])
def test_a_compilation_without_effect_is_said(graphs: int | None, said: bool) -> None:
    done = replace(rank_measured("single", 0), compiled_graphs=graphs)
    folded = session(opening(SINGLE), measured("single", [[1.0, 1.0]]), [done])
    assert any("compile = true had no effect" in note for note in one(folded, "single").notes) is said


@pytest.mark.parametrize(
    ("mode", "channels_last", "said"),
    [("dp", True, True), ("fsdp", True, True), ("ddp", True, False), ("dp", False, False)],
)
def test_modes_that_transpose_weights_say_so(mode: Mode, channels_last: bool, said: bool) -> None:
    run = spec("run", mode, 2, workloads=[Workload(channels_last=channels_last)])
    folded = session(opening(run), measured("run", [[1.0, 1.0]]))
    assert any("transposes" in note for note in one(folded, "run").notes) is said


CONCURRENT = spec("both", "concurrent", 2, workloads=[CNN, VIT])
ALONE = (spec("cnn", "single", workloads=[CNN]), spec("vit", "single", workloads=[VIT]))


def test_side_by_side_is_a_gain_and_never_a_speedup() -> None:
    folded = session(
        opening(*ALONE, CONCURRENT),
        measured("cnn", [[1.0, 1.0]]),
        measured("vit", [[4.0, 4.0]]),
        measured("both", [[1.25, 1.25], [5.0, 5.0]]),
    )
    result = one(folded, "both")
    # For the same number of samples each: 1 + 4 one after the other, 5 (the longer) side by side.
    assert result.concurrency_gain == pytest.approx(1.0)
    assert (result.speedup, result.throughput, result.notes) == (None, None, ())
    assert [(part.workload, part.alone) for part in result.parts] == [("cnn", 640), ("vit", 160)]
    assert [part.side_by_side.throughput for part in result.parts] == [pytest.approx(512), pytest.approx(128)]
    assert [part.peak_memory_bytes for part in result.parts] == [GIB, 2 * GIB]
    assert "concurrency gain 1.00x" in analyse(folded).headline


def test_a_gain_has_an_interval_where_every_training_has_enough_windows() -> None:
    wobbly = [1.0, 1.02, 0.98, 1.01, 0.99]

    def both(windows: int) -> Result:
        times = {"cnn": [wobbly], "vit": [[4 * each for each in wobbly]]}
        beside = measured("both", [wobbly[:windows], [4.4 * each for each in wobbly]])
        alone = [event for run, seconds in times.items() for event in measured(run, seconds)]
        return one(session(opening(*ALONE, CONCURRENT), alone, beside), "both")

    found = both(5)
    assert found.concurrency_gain == pytest.approx(5 / 4.4)
    assert found.concurrency_gain_interval is not None
    low, high = found.concurrency_gain_interval
    assert 1.05 < low < 5 / 4.4 < high < 1.25
    assert f"(95%: {low:.2f}x to {high:.2f}x)" in side_by_side(found)[-1]
    assert both(4).concurrency_gain_interval is None


def test_the_same_training_twice_gains_at_most_the_number_of_devices() -> None:
    twice = spec("both", "concurrent", 2, workloads=[CNN, CNN])
    folded = session(
        opening(ALONE[0], twice), measured("cnn", [[1.0, 1.0]]), measured("both", [[1.0, 1.0]] * 2)
    )
    result = one(folded, "both")
    assert result.concurrency_gain == pytest.approx(2.0)
    assert result.throughput == pytest.approx(1280), "samples of one workload add up"
    assert result.notes == ()
    faster = session(
        opening(ALONE[0], twice), measured("cnn", [[1.0, 1.0]]), measured("both", [[0.5, 0.5]] * 2)
    )
    assert "more than 2 devices can give" in one(faster, "both").notes[0]


def test_no_gain_without_the_runs_alone() -> None:
    folded = session(
        opening(*ALONE, CONCURRENT),
        measured("cnn", [[1.0, 1.0]]),
        failed("vit"),
        measured("both", [[1.25, 1.25], [5.0, 5.0]]),
    )
    result = one(folded, "both")
    assert result.concurrency_gain is None
    assert result.notes == ("no concurrency gain: no comparable single run of vit",)


def test_a_run_alone_at_another_batch_does_not_count() -> None:
    large = Workload(name="cnn", model="cnn", batch=512)
    folded = session(
        opening(
            spec("cnn", "single", workloads=[large]), spec("both", "concurrent", 2, workloads=[CNN, CNN])
        ),
        measured("cnn", [[1.0, 1.0]]),
        measured("both", [[1.0, 1.0]] * 2),
    )
    assert one(folded, "both").concurrency_gain is None


def test_a_rank_without_memory_figures_is_no_zero() -> None:
    folded = session(
        opening(SINGLE),
        [
            *rank_up("single", 0),
            rank_measured("single", 0, memory=None),
            RunFinished(at=9.0, run="single", outcome="measured"),
        ],
    )
    result = one(folded, "single")
    assert result.peak_memory_bytes is None
    assert result.notes == ("no figures: no window was reported by all ranks",)


@pytest.mark.parametrize(
    ("busy", "headline"),
    [
        ((95.0, 90.0), "ddp on 2 devices is 2.00x as fast as single (efficiency 100%)"),
        (
            (95.0, 60.0),
            "ddp on 2 devices is 2.00x as fast as single (efficiency 100%), limited by the host: a GPU of "
            "ddp on 2 devices was idle for 40.0% of the time",
        ),
        (
            (30.0, 60.0),
            "ddp on 2 devices is 2.00x as fast as single (efficiency 100%), limited by the host: the GPU of "
            "single was idle for 70.0% of the time",
        ),
    ],
)
def test_a_headline_says_that_a_gpu_was_mostly_idle(busy: tuple[float, float], headline: str) -> None:
    steady = [1.0 + 0.001 * window for window in range(5)]
    assert gpu_headline("ddp", [steady, steady], busy) == headline


@pytest.mark.parametrize(
    ("mode", "beginning"),
    [
        ("ddp", "ddp on 2 devices is not measurably faster than single (95%: "),
        ("concurrent", "cnn side by side on 2 devices"),
    ],
)
def test_no_kind_of_headline_hides_that_a_gpu_was_mostly_idle(mode: Mode, beginning: str) -> None:
    half_as_fast = [2.0 + 0.001 * window * (-1) ** window for window in range(5)]
    headline = gpu_headline(mode, [half_as_fast, half_as_fast], (95.0, 25.0))
    assert headline.startswith(beginning)
    assert "limited by the host" in headline
    assert headline.endswith("was idle for 75.0% of the time")


def gpu_headline(mode: Mode, windows: Sequence[Sequence[float]], busy: tuple[float, float]) -> str:
    """The headline of a run on two GPUs beside one on a single GPU, each with a GPU busy for so many %."""
    gpus = tuple(Device(kind="cuda", index=index, name="NVIDIA H200") for index in range(2))
    steady = [1.0 + 0.001 * window for window in range(5)]

    def sampled(at: float, *busy: float) -> Sampled:
        samples = [GpuSample(index=index, utilization=share) for index, share in enumerate(busy)]
        return Sampled(at=at, gpus=samples, cpu=CpuSample((), 0, 1, 0.0, 0))

    events = [
        *measured("single", [steady]),
        sampled(3.0, busy[0], 0.0),
        *(replace(event, at=event.at + 20) for event in measured("both", windows)),
        sampled(23.0, 90.0, busy[1]),
    ]
    workloads = [CNN] * (2 if mode == "concurrent" else 1)
    alone = spec("single", "single", on=gpus, baseline="single", workloads=[CNN])
    both = spec(
        "both", mode, 2, on=gpus, baseline=None if mode == "concurrent" else "single", workloads=workloads
    )
    return analyse(session(opening(alone, both), events)).headline


@pytest.mark.parametrize("settled", [True, False])
def test_a_step_time_that_never_settled_is_said(settled: bool) -> None:
    events = [
        replace(event, settled=settled) if isinstance(event, RankMeasured) else event
        for event in measured("single", [[1.0, 1.0, 1.0]])
    ]
    notes = one(session(opening(SINGLE), events), "single").notes
    assert any("had not settled" in note for note in notes) is not settled


def test_side_by_side_trainings_by_epochs_have_no_joint_throughput() -> None:
    by_epochs = replace(spec("side", "concurrent", 2), measure=Measure(epochs=1))
    folded = session(opening(by_epochs), measured("side", [[1.0, 1.0], [1.0, 1.0]]))
    assert one(folded, "side").throughput is None


def test_a_look_that_ended_early_is_said_and_costs_no_figure() -> None:
    events = [
        replace(event, detail_trouble="out of memory") if isinstance(event, RankFinished) else event
        for event in measured("single", [[1.0, 1.0, 1.0]])
    ]
    result = one(session(opening(SINGLE), events), "single")
    assert result.throughput == pytest.approx(640)
    assert any("ended early: out of memory" in note for note in result.notes)


@pytest.mark.parametrize(
    ("mode", "precision", "optimizer", "waits"),
    [("fsdp", "fp16", "sgd", True), ("fsdp", "bf16", "sgd", False), ("ddp", "fp16", "sgd", False)],
)
def test_a_scaler_that_makes_the_host_wait_is_named(
    mode: Mode, precision: Precision, optimizer: str, waits: bool
) -> None:
    workload = Workload(name="cnn", precision=precision, optimizer=optimizer)  # type: ignore[arg-type]
    gpus = tuple(Device(kind="cuda", index=index, name="NVIDIA H200") for index in range(2))
    for devices, expected in ((gpus, waits), (CORES, False)):
        run = spec("run", mode, 2, workloads=[workload], on=devices)
        found = result_of(session(opening(run), measured("run", [[1.0] * 5] * 2)), "run")
        assert any("no fused SGD for sharded parameters" in note for note in found.notes) == expected


def test_ten_thousand_windows_have_the_interval_of_as_many() -> None:
    """Noise of 10% in each leaves the whole with half an interval of about 0.25%."""
    source = random.Random(14)
    held = []
    for _ in range(10):
        seconds = [source.gauss(1, 0.1) for _ in range(10_000)]
        folded = session(opening(spec("single", "single")), measured("single", [seconds]))
        found = result_of(folded, "single")
        assert found.interval is not None
        low, high = found.interval
        assert (high - low) / 640 == pytest.approx(4 * 0.1 / math.sqrt(10_000), rel=0.4)
        held.append(low <= 640 <= high)
    assert sum(held) >= 8
    assert found.windows == 2500
    assert "each of its windows is 4 measured ones merged, because there were thousands" in found.notes


def test_results_are_ordered_by_what_a_column_shows() -> None:
    found = analyse(
        session(
            opening(spec("a", "single"), spec("b", "ddp", 2), spec("c", "dp", 2)),
            measured("a", [[1.0] * 5]),
            measured("b", [[1.1] * 5] * 2),
            failed("c", "no memory"),
        )
    ).results
    by = {column.title: column for column in result_columns(found)}

    def order(title: str, backwards: bool = False) -> str:
        return "".join(result.run for result in ordered(found, by[title], backwards))

    assert (order("mode"), order("mode", backwards=True)) == ("bca", "acb")
    assert (order("samples/s"), order("samples/s", backwards=True)) == ("bac", "abc"), "without figures last"
    assert order("devices") == "bca", "equals stay in the plan's order"


def test_a_session_in_which_all_failed_says_so() -> None:
    specs = (spec("a", "single"), spec("b", "ddp", 2, skip="one GPU here"), spec("c", "dp", 2))
    one_failed = analyse(fold([*opening(*specs), *failed("a", "no memory")]))
    assert one_failed.headline == "", "c may still be measured"
    both = session(opening(*specs), failed("a", "no memory"), failed("c", "no memory"))
    assert analyse(both).headline == "Failed: no memory (both runs)"
    assert analyse(session(opening(specs[0]), failed("a", "no memory"))).headline == "Failed: no memory"
