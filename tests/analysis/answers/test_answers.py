"""Sessions with known figures, and the sentence that answers each one's question."""

from collections.abc import Sequence

import pytest
from building import recorded
from building.sessions import (
    CORES,
    bandwidth,
    communication,
    evaluations,
    failed,
    measured,
    opening,
    rank_up,
    spec,
    windows,
)
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.line import result_line
from gpubench_tui.engine.plan.plan import Device, RunSpec
from gpubench_tui.engine.plan.preset.preset import AnswerKind, Measure, Mode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    SAME_WAY,
    Event,
    Failure,
    ModelBuilt,
    RunFinished,
    RunStarted,
    SessionFinished,
)
from gpubench_tui.engine.record.session import Session, fold
from msgspec.structs import replace

STEADY = [1.0, 1.001, 0.999, 1.0, 1.002]
UNSTEADY = [1.0, 1.1, 0.9, 1.05, 0.95]
SHAKY = [1.0, 1.5, 0.7, 1.1, 0.8]
GPUS = tuple(Device(kind="cuda", index=i, name="NVIDIA H200", uuid=f"GPU-{i}") for i in range(8))


def rates(per_device: float, ranks: int, shape: Sequence[float] = STEADY) -> list[list[float]]:
    """Seconds of windows in which each rank is so many times as fast as the baseline."""
    return [[seconds / per_device for seconds in shape]] * ranks


def run(
    mode: Mode,
    devices: int,
    speedup: float,
    *,
    workload: Workload = Workload(name="cnn"),  # noqa: B008
    against: str = "single",
    shape: Sequence[float] = STEADY,
    on: Sequence[Device] = CORES,
    measure: Measure = Measure(),  # noqa: B008
) -> tuple[RunSpec, list[Event]]:
    """A run that is so many times as fast as the baseline of its workload and batch."""
    suffix = f"-{workload.name}-{workload.batch}"
    name = mode if devices == 1 else f"{mode}{devices}"
    ranks = devices if mode in ("ddp", "fsdp", "concurrent") else 1
    planned = spec(
        name + suffix, mode, devices, workloads=[workload], baseline=against + suffix, on=on, measure=measure
    )
    # What one process does for all devices is in its own samples.
    samples = 640 if mode != "dp" else 640 * devices
    happened = measured(planned.id, rates(speedup / devices, ranks, shape), samples=samples)
    return planned, [
        replace(event, steps_per_epoch=10 // devices) if isinstance(event, ModelBuilt) else event
        for event in happened
    ]


def told(answer: AnswerKind, *runs: tuple[RunSpec, list[Event]], end: str = "finished") -> Session:
    opened = opening(*(planned for planned, _ in runs), answer=answer)
    events = [*opened, *(event for _, happened in runs for event in happened)]
    return fold([*events, SessionFinished(at=60.0, outcome=end)])  # type: ignore[arg-type]


def headline(answer: AnswerKind, *runs: tuple[RunSpec, list[Event]]) -> str:
    return analyse(told(answer, *runs)).headline


def sized(batch: int, name: str = "cnn") -> Workload:
    return Workload(name=name, batch=batch)


ONE = run("single", 1, 1.0)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([run("ddp", 2, 1.92)], "Yes: 1.92x for 2 devices (96%)"),
        ([run("ddp", 2, 1.14)], "Barely: 1.14x for 2 devices (57%)"),
        ([run("ddp", 4, 2.2)], "Partly: 2.20x for 4 devices (55%)"),
        ([run("ddp", 2, 0.51)], "No: DDP on 2 devices is half as fast as one device (0.51x)"),
        ([run("ddp", 2, 0.8)], "No: DDP on 2 devices is slower than one device (0.80x)"),
        ([run("dp", 2, 0.5, on=GPUS)], "No: DataParallel on 2 devices is half as fast as one GPU (0.50x)"),
        (
            [run("ddp", 2, 1.92), run("dp", 2, 0.51)],
            "Yes: 1.92x for 2 devices (96%) with DDP; DataParallel is half as fast as one device (0.51x)",
        ),
        ([run("ddp", 2, 1.9), run("ddp", 4, 1.1)], "Barely: 1.10x for 4 devices (28%)"),
        ([run("ddp", 1, 0.9), run("ddp", 2, 1.6)], "Yes: 1.60x for 2 devices (80%)"),
    ],
)
def test_is_it_worth_it(runs: list[tuple[RunSpec, list[Event]]], said: str) -> None:
    base = run("single", 1, 1.0, on=runs[0][0].devices)
    assert headline("worth", base, *runs) == said


@pytest.mark.parametrize(
    ("speedup", "shape", "beginning"),
    [
        (1.0, STEADY, "No: no measurable difference, "),
        (1.0, SHAKY, "Not clear yet: "),
        (1.6, UNSTEADY, "Probably: 1.60x for 2 devices (80%; 95%: "),
        (1.9, STEADY[:2], "Probably: 1.90x for 2 devices (95%; too few windows for an interval)"),
    ],
)
def test_the_interval_has_its_say(speedup: float, shape: Sequence[float], beginning: str) -> None:
    assert headline("worth", ONE, run("ddp", 2, speedup, shape=shape)).startswith(beginning)


def test_a_verdict_for_each_batch_and_workload() -> None:
    by_batch = [
        planned
        for batch, speedup in ((32, 0.8), (128, 1.1), (512, 1.9), (1024, 1.92), (2048, 1.96))
        for planned in (
            run("single", 1, 1.0, workload=sized(batch)),
            run("ddp", 2, speedup, workload=sized(batch)),
        )
    ]
    assert headline("worth", *by_batch) == (
        "Yes: 1.96x for 2 devices (98%) at batch 2048, and at batch 1024 and at batch 512; "
        "barely: 1.10x for 2 devices (55%) at batch 128; "
        "no: DDP on 2 devices is slower than one device (0.80x) at batch 32"
    )
    two = [
        planned
        for name, speedup in (("resnet34", 1.92), ("resnet18", 2.0))
        for planned in (
            run("single", 1, 1.0, workload=sized(512, name)),
            run("ddp", 2, speedup, workload=sized(512, name)),
        )
    ]
    assert headline("worth", *two).startswith(
        "Yes: 2.00x for 2 devices (100%) with resnet18, 1.92x for 2 devices (96%) with resnet34"
    )


def test_what_is_not_credible_gets_no_yes() -> None:
    said = headline("worth", ONE, run("ddp", 2, 2.42))
    assert said == "Unclear: 2.42x for 2 devices (121%); not credible: super-linear"
    both = headline("worth", ONE, run("ddp", 2, 2.42), run("fsdp", 2, 1.9))
    assert both == "Yes: 1.90x for 2 devices (95%) with FSDP; DDP is unclear"


def test_a_wrapper_alone_is_no_answer() -> None:
    assert headline("worth", ONE, run("ddp", 1, 0.89)) == "single x1 trains 640 samples/s"


def test_how_far_does_it_scale() -> None:
    runs = [
        planned
        for batch, two, four in ((32, 1.1, 0.9), (1024, 1.95, 3.6))
        for planned in (
            run("single", 1, 1.0, workload=sized(batch)),
            run("ddp", 2, two, workload=sized(batch)),
            run("ddp", 4, four, workload=sized(batch)),
        )
    ]
    assert headline("reach", *runs) == (
        "Up to 3.60x for 4 devices (90%) at batch 1024; least at batch 32: 1.10x for 2 devices (55%)"
    )
    assert headline("reach", ONE, run("ddp", 2, 1.9), run("ddp", 4, 1.5)) == (
        "Up to 1.90x for 2 devices (95%); no further on more: 1.50x for 4 devices (38%)"
    )
    assert headline("reach", ONE, run("ddp", 2, 0.6)).startswith("Not at all: DDP on 2 devices is slower")


def test_which_batch_is_best() -> None:
    by_batch = [run("single", 1, speed, workload=sized(size)) for size, speed in ((32, 1.0), (512, 5.0))]
    assert headline("batch", *by_batch) == "Batch 512: 3,200 samples/s, 5.00x as fast as batch 32"
    alike = run("single", 1, 5.0, workload=sized(2048))
    too_large = spec("large", "single", workloads=[sized(8192)])
    memory = Failure(kind="out of memory", rank=0, message="CUDA out of memory", log=None)
    full = [
        RunStarted(at=1.0, run="large"),
        RunFinished(at=2.0, run="large", outcome="failed", failure=memory),
    ]
    said = headline("batch", *by_batch, alike, (too_large, full))
    assert said.startswith("Batch 512 or 2048, with no measurable difference: 3,200 samples/s, 5.00x")
    assert "(8192 does not fit in memory)" in said


def test_which_model_is_faster() -> None:
    cnn, vit = Workload(name="cnn", model="cnn"), Workload(name="vit", model="vit-small")
    both = spec("both", "concurrent", 2, workloads=[cnn, vit])
    runs = [
        run("single", 1, 1.0, workload=cnn),
        run("single", 1, 0.25, workload=vit),
        run("ddp", 2, 2.0, workload=cnn),
        run("ddp", 2, 0.4, workload=vit),
        (both, measured("both", [STEADY, [4.0] * 5])),
    ]
    assert headline("model", *runs) == (
        "cnn trains 4.00x as fast as vit on one device, 5.00x with DDP on 2 devices, "
        "4.00x side by side on 2 devices"
    )
    same = headline("model", run("single", 1, 1.0, workload=cnn), run("single", 1, 1.0, workload=vit))
    assert same.startswith("No measurable difference between cnn and vit on one device (95%: ")


def learnt(
    planned: tuple[RunSpec, list[Event]], accuracies: Sequence[float | None]
) -> tuple[RunSpec, list[Event]]:
    found, events = planned
    return found, [*events[:-1], *evaluations(found.id, 0, accuracies), events[-1]]


def test_what_a_large_batch_costs_in_accuracy() -> None:
    small, large = sized(128, "small"), sized(2048, "large")
    scaled = replace(large, name="scaled", learning_rate_batch=128)
    base = run("single", 1, 1.0, workload=small)
    names = {workload: run("ddp", 2, 1.9, workload=workload) for workload in (large, scaled)}
    big, won_back = (
        learnt((replace(names[workload][0], baseline=base[0].id), names[workload][1]), [0.2, accuracy])
        for workload, accuracy in ((large, 0.5), (scaled, 0.84))
    )
    said = headline("accuracy", learnt(base, [0.3, 0.85]), big, won_back)
    assert said.startswith(
        "35.0 points of accuracy lost (50.0% with large against 85.0% with small); no measurable loss of "
        "accuracy (84.0% with scaled, at a learning rate in proportion against 85.0% with small)"
    )


def test_how_long_a_training_takes() -> None:
    whole = Measure(epochs=2)
    runs = [
        learnt(run("single", 1, 1.0, measure=whole), [0.5, 0.8]),
        learnt(run("ddp", 2, 1.9, measure=whole), [0.5, 0.79]),
    ]
    assert headline("training", *runs) == (
        "6.00 s on one device, 6.00 s with DDP on 2 devices; 80.0% and 79.0% test accuracy after 2 epochs"
    )
    without = learnt(run("single", 1, 1.0, measure=Measure(epochs=1)), [None])
    assert headline("training", without) == "3.00 s on one device; 1.25 test loss after 1 epoch"
    early = learnt(run("single", 1, 1.0, measure=Measure(epochs=50)), [0.5])
    assert headline("training", early) == (
        "3.00 s on one device for 1 of 50 epochs; 50.0% test accuracy after 1 epoch"
    )


def test_what_sharding_costs_and_saves() -> None:
    said = headline("sharding", ONE, run("ddp", 2, 2.0), run("fsdp", 2, 1.6))
    assert said == (
        "FSDP costs 20.0% of DDP's speed on 2 devices and saves no memory (2.00 against 2.00 GiB a device)"
    )
    same = headline("sharding", ONE, run("ddp", 2, 1.9), run("fsdp", 2, 1.9))
    assert same.startswith("FSDP costs no measurable speed on 2 devices (95%: ")
    llama = Workload(name="llama")
    both = headline(
        "sharding",
        *(run("ddp", 2, 2.0), run("fsdp", 2, 1.6)),
        *(run("ddp", 2, 2.0, workload=llama), run("fsdp", 2, 1.0, workload=llama)),
    )
    assert both.startswith("cnn: FSDP costs 20.0% of DDP's speed") and "; llama: FSDP costs 50.0% of" in both


def test_what_communication_costs() -> None:
    found, events = run("ddp", 2, 1.5)
    times = [100.0 + step for step in range(10)]
    ends = [each + 0.05 for each in times]
    timed = [communication(found.id, rank, [(1 << 20, times, ends)], [0.25], [0.2]) for rank in range(2)]
    reached = [*events[:-1], *timed, bandwidth(found.id, "all_reduce", {1 << 20: 1e-3}), events[-1]]
    said = headline("communication", ONE, (found, reached))
    assert said == "18.7% of a step on 2 devices; all-reduce reaches 0.021 GB/s of 1.05 GB/s by itself"


def test_a_session_that_falls_short_says_why_and_what_was_measured() -> None:
    worth = run("ddp", 2, 1.92)
    broken = spec("dp", "dp", 2, baseline="single-cnn-128")
    raised = failed("dp", "ModuleNotFoundError: flash_attnx")
    assert headline("worth", ONE, worth, (broken, raised)) == (
        "Yes: 1.92x for 2 devices (96%); 1 of 3 runs failed: ModuleNotFoundError: flash_attnx"
    )
    waiting = spec("later", "ddp", 4)
    stopped = analyse(told("worth", ONE, worth, (waiting, []), end="stopped")).headline
    assert stopped == "Yes: 1.92x for 2 devices (96%); stopped by the user, 2 of 3 runs measured"
    cut_off = [
        RunStarted(at=0.5, run="single"),
        *rank_up("single", 0),
        *windows("single", 0, [1.0] * 15),
        RunFinished(at=20.0, run="single", outcome="stopped", reason="stopped by the user"),
    ]
    alone = analyse(told("worth", (spec("single", "single"), cut_off), end="stopped")).headline
    assert alone == (
        "single x1 trains 640 samples/s (stopped early, after 15 windows); stopped by the user, "
        "0 of 1 run measured"
    )


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (["no luck"], "Failed: no luck"),
        (["no luck", "no luck"], "Failed: no luck (both runs)"),
        (["no luck"] * 3, "Failed: no luck (all 3 runs)"),
        (["/home/a b/own.py:1, in <module>: ModuleNotFoundError: x"], "Failed: ModuleNotFoundError: x"),
        (["no luck", "no memory", "no luck"], "Failed: no luck (2 runs); no memory (1 run)"),
        (["word " * 40], f"Failed: {'word ' * 31}word…"),
        (["a", "b", "c", "c"], "Failed: c (2 runs); a (1 run); 1 run for other reasons"),
    ],
)
def test_a_failed_session_begins_with_the_reason(messages: list[str], said: str) -> None:
    runs = [(spec(f"r{n}", "single"), failed(f"r{n}", message)) for n, message in enumerate(messages)]
    assert headline("worth", *runs) == said


def test_runs_that_would_fail_the_same_way_are_counted_apart() -> None:
    runs = [(spec(name, "single"), failed(name, "no luck")) for name in "ab"]
    alike = RunFinished(at=9.0, run="c", outcome="skipped", reason=f"{SAME_WAY}: no luck")
    said = headline("worth", *runs, (spec("c", "single"), [alike]))
    assert said == "Failed: no luck (2 of 3 runs; the others would fail the same way)"


def test_nothing_measured_for_other_reasons() -> None:
    skipped = spec("dp", "dp", 2, skip="DataParallel needs CUDA GPUs")
    assert headline("worth", (skipped, [])) == "Nothing was measured: DataParallel needs CUDA GPUs"
    planned = (spec("single", "single"), [])
    assert analyse(told("worth", planned, end="stopped")).headline == (
        "Nothing was measured: stopped by the user"
    )
    end = SessionFinished(at=1.0, outcome="interrupted", reason="no space left on device")
    full = fold([*opening(planned[0]), end])
    assert analyse(full).headline == "Nothing was measured: interrupted: no space left on device"


def test_the_line_says_what_was_trained_on_what_and_how_fast() -> None:
    scaled = analyse(told("worth", ONE, run("ddp", 2, 1.92)))
    assert result_line(scaled) == (
        "cifar-resnet18 fp32, 2 CPU shares: 1,229 samples/s, 1.92x one device (95%: 1.91x to 1.93x)"
    )
    assert result_line(analyse(told("worth", ONE))) == "cifar-resnet18 fp32, 1 CPU share: 640 samples/s"


def test_the_line_names_gpus_shares_and_an_answer_of_another_kind() -> None:
    session = recorded.recorded_session(8)
    assert result_line(analyse(session)) == (
        "cifar-resnet18 fp32, 8 x H200 dp: 45,744 samples/s, 7.14x one GPU (95%: 6.95x to 7.37x), MFU 5%; "
        "input 20%"
    )
    line = result_line(analyse(recorded.recorded_session(0)))
    assert line.startswith("cifar-resnet18 fp32, 2 CPU shares: ")
    assert line.endswith(", MFU 41%; input 17%, exposed comm 13%")
    session.plan = replace(session.plan, answer="communication")
    assert "; input 20%; How far does it scale? " in result_line(analyse(session))
