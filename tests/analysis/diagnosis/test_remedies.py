"""The remedies of every rule: their changes, their costs, and ceilings that were computed by hand."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from building.sessions import (
    CORES,
    GIB,
    HOST,
    arithmetic,
    bandwidth,
    breakdown,
    communication,
    measured,
    opening,
    session,
    spec,
)
from building.symptoms import GPUS, STEADY, STEP, exchange, finished, gpu_host, gpu_sample, sampled
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.diagnosis.case import Diagnosis
from gpubench_tui.engine.analysis.export import render
from gpubench_tui.engine.analysis.report.diagnosis import diagnosis_text, remedy_text
from gpubench_tui.engine.host.facts import Host
from gpubench_tui.engine.plan.changed_run import changed_run, changes_in_effect
from gpubench_tui.engine.plan.plan import Device, RunSpec
from gpubench_tui.engine.plan.preset.preset import Mode
from gpubench_tui.engine.plan.remedy import Cost, Remedy
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, Failure, RunFinished, RunStarted
from gpubench_tui.engine.record.session import Session
from gpubench_tui.tui.render.diagnoses import diagnosis_lines
from msgspec.structs import replace

PAGE = Path(__file__).parents[3] / "docs" / "tuning.md"
CAPABLE = gpu_host()
Settings = dict[str, str | int | float | bool]


def run(mode: Mode = "single", devices: int = 1, *, on: Iterable[Device] = CORES, **workload: Any) -> RunSpec:
    """Return the run `it` of a workload with these keys."""
    return spec("it", mode, devices, on=tuple(on), workloads=[Workload(name="cnn", **workload)])


def ran(it: RunSpec, *parts: Iterable[Event], host: Host = HOST, settings: Settings | None = None) -> Session:
    """Return the session of one run whose ranks did as well as each other, and of what else is recorded."""
    return session(
        opening(it, host=host), measured("it", [STEADY] * it.world_size, settings=settings), *parts
    )


def slow_loading(**workload: Any) -> Session:
    """Return a session in which 60% of each step are spent waiting for a batch, and 10% for its transfer."""
    it = run(placement="loader", **workload)
    parts = [breakdown("it", 0, input=[0.6 * STEP], transfer=[0.1 * STEP], backward=[0.3 * STEP])]
    return ran(it, parts, settings={"threads": 1, "affinity": "0,1,2,3"})


def slower_than_synthetic() -> Session:
    """Return a session in which a loader delivers half of what the device could train on."""
    it, other = run(placement="loader", loader_workers=0), replace(run(), id="other", configuration="other")
    slow = [2 * seconds for seconds in STEADY]
    return session(opening(it, other), measured("it", [slow]), measured("other", [STEADY]))


def same_rate_everywhere() -> Session:
    """Return a session with the same throughput at two batches and on one and two devices."""
    it, larger, both = (
        replace(run(mode, devices, placement="loader", batch=batch), id=name, configuration=name)
        for name, mode, devices, batch in (
            ("it", "single", 1, 128),
            ("larger", "single", 1, 256),
            ("both", "ddp", 2, 256),
        )
    )
    ranks = measured("both", [STEADY, STEADY], samples=320)
    return session(opening(it, larger, both), measured("it", [STEADY]), measured("larger", [STEADY]), ranks)


def exposing(
    cost: float, *, mode: Mode = "ddp", buckets: int = 1, size: int = 12 << 20, **workload: Any
) -> Session:
    """Return a session on two devices in which synchronising takes a share of each step; 15% are exposed.

    A tenth of each step is spent copying gradients back, a fifth in the optimizer.
    """
    turns = [0.001 * wobble for wobble in (0, 1, -1, 2, -2, 1, 0, -1)]
    events: list[Event] = []
    for rank, seconds in enumerate((0.15 * STEP, 0.16 * STEP)):
        bucket = (size, [100.0 + i - seconds for i in range(8)], [100.0 + i for i in range(8)])
        events += [
            communication(
                "it",
                rank,
                [bucket] * buckets,
                synchronised=[STEP + wobble for wobble in turns],
                unsynchronised=[STEP * (1 - cost) - wobble for wobble in turns],
            ),
            breakdown("it", rank, forward=[0.7 * STEP], copying=[0.1 * STEP], optimizer=[0.2 * STEP]),
        ]
    return ran(run(mode, 2, **workload), events)


def hiding(cost: float) -> Session:
    """Return a session on two GPUs joined through the host, which hide half of their communication."""
    turns = [0.001 * wobble for wobble in (0, 1, -1, 2, -2, 1, 0, -1)]
    first = (1000, [100.0 + i - 0.4 * STEP for i in range(8)], [100.0 + i - 0.3 * STEP for i in range(8)])
    last = (1000, [100.0 + i - 0.2 * STEP for i in range(8)], [100.0 + i for i in range(8)])
    reported = [
        communication(
            "it",
            rank,
            [first, last],
            synchronised=[STEP + wobble for wobble in turns],
            unsynchronised=[STEP * (1 - cost) - wobble for wobble in turns],
        )
        for rank in range(2)
    ]
    return ran(run("ddp", 2, on=GPUS), reported, host=gpu_host("SYS"))


def data_parallel(*, with_ddp: bool) -> Session:
    """Return a session of DataParallel that takes 2.6 times as long as DDP."""
    it, ddp = run("dp", 2, on=GPUS), replace(run("ddp", 2, on=GPUS), id="ddp", configuration="ddp")
    times = {"scatter": [0.01], "replicate": [0.05], "gather": [0.04], "reduce": [0.03]}
    slow = [2.6 * seconds for seconds in STEADY]
    beside = measured("ddp", [STEADY, STEADY]) if with_ddp else []
    return session(
        opening(it, *([ddp] if with_ddp else []), host=CAPABLE),
        measured("it", [slow], samples=1280),
        [breakdown("it", 0, times, forward=[0.3], backward=[0.22])],  # type: ignore[arg-type]
        beside,
    )


def full(it: RunSpec, reserved: int = 95 * GIB, retries: int = 0, host: Host = CAPABLE) -> Session:
    """Return a session whose first rank has reserved so much of 100 GiB."""
    return ran(it, [finished("it", reserved, retries)], host=host)


def too_large(batch: int, fits: int | None) -> Session:
    """Return a session of a run that did not fit, and of a smaller one that did."""
    it = run(on=GPUS, batch=batch)
    small = replace(run(on=GPUS, batch=fits or 1), id="small", configuration="small")
    failure = Failure("out of memory", 0, "CUDA out of memory", None)
    ended: list[Event] = [
        RunStarted(at=11, run="it"),
        RunFinished(at=12, run="it", outcome="failed", failure=failure),
    ]
    beside = measured("small", [STEADY]) if fits else []
    return session(opening(it, *([small] if fits else []), host=CAPABLE), beside, ended)


def hardly_growing() -> Session:
    """Return a session in which a step of four times the samples takes 1.21 times as long."""
    it, larger = run(batch=128), replace(run(batch=512), id="larger", configuration="larger")
    longer = [1.21 * seconds for seconds in STEADY]
    return session(
        opening(it, larger), measured("it", [STEADY]), measured("larger", [longer], samples=4 * 640)
    )


def idle(**workload: Any) -> Session:
    """Return a session of a GPU that runs a kernel half of the time."""
    steps = [breakdown("it", 0, input=[0.001], backward=[0.199])]
    it = run(on=GPUS, **workload)
    return ran(it, steps, sampled(gpu_sample(utilization=50.0)), host=CAPABLE)


def in_fp32(flop: int, name: str = "NVIDIA H200", host: Host = CAPABLE) -> Session:
    """Return a session of a busy GPU whose steps are forward and backward for 80%, at 67 TFLOP/s at most."""
    device = replace(GPUS[0], name=name)
    steps = [breakdown("it", 0, forward=[0.3 * STEP], backward=[0.5 * STEP], optimizer=[0.2 * STEP])]
    counted = [arithmetic("it", 0, flop, 67e12)]
    return ran(run(on=[device]), steps, counted, sampled(gpu_sample()), host=host)


class Expected(NamedTuple):
    """A session with the remedies of one of its diagnoses."""

    folded: Session
    diagnosis: str
    remedies: Mapping[str, tuple[dict[str, Any], str, float | None]]
    """Changes, costs and ceiling of each remedy by name, in their order."""


OVERSUBSCRIBED: Settings = {"threads": 2, "affinity": "0,1"}
TF32 = 1 / (0.2 + 0.8 * 67 / 494.5)
BF16 = 1 / (0.2 + 0.8 * 67 / 989.5)
STATIC = {"static_graph": True}
VIEW = {"gradient_as_bucket_view": True}
EXPECTED = {
    "a slow loader": Expected(
        slow_loading(),
        "input-bound",
        {
            "resident data": ({"placement": "device"}, "memory", 1 / 0.3),
            "more loader workers": ({"loader_workers": 4}, "", 2.5),
            "more prefetching": ({"prefetch": 8}, "", 2.5),
        },
    ),
    "a loader with as many workers as there is room for": Expected(
        slow_loading(loader_workers=5, prefetch=16),
        "input-bound",
        {"resident data": ({"placement": "device"}, "memory", 1 / 0.3)},
    ),
    "slower than on synthetic data": Expected(
        slower_than_synthetic(),
        "input-bound",
        {
            "resident data": ({"placement": "device"}, "memory", 2.0),
            "loader workers": ({"loader_workers": 2}, "", 2.0),
        },
    ),
    "the loader's rate everywhere": Expected(
        same_rate_everywhere(),
        "input-bound",
        {
            "resident data": ({"placement": "device"}, "memory", None),
            "more loader workers": ({"loader_workers": 4}, "", None),
            "more prefetching": ({"prefetch": 8}, "", None),
        },
    ),
    "too many workers": Expected(
        ran(run(placement="loader", loader_workers=4), settings=OVERSUBSCRIBED),
        "CPU oversubscribed",
        {
            "fewer loader workers": ({"loader_workers": 1}, "", 3.0),
            "resident data": ({"placement": "device"}, "memory", 3.0),
        },
    ),
    "exposed communication": Expected(
        exposing(0.24, buckets=5),
        "exposed communication",
        {
            "bf16 gradients": ({"compress_gradients": "bf16"}, "numerics", 1 / 0.76),
            "larger buckets": ({"bucket_mb": 100}, "", 1 / 0.76),
            "accumulation over 2 passes": ({"accumulate": 2}, "recipe", 1 / (1 - 0.44 / 2)),
            "static graph": (STATIC, "", 1 / 0.85),
            "gradients in buckets": (VIEW, "", 1 / 0.9),
            "batch 256": ({"batch": 256}, "recipe, memory", None),
        },
    ),
    "exposed communication in one bucket": Expected(
        exposing(0.24, compress_gradients="bf16", gradient_as_bucket_view=True, batch=64, accumulate=2),
        "exposed communication",
        {
            "accumulation over 4 passes": ({"accumulate": 4}, "recipe", 1 / (1 - 0.44 / 2)),
            "smaller buckets": ({"bucket_mb": 2}, "", 1 / 0.85),
            "static graph": (STATIC, "", 1 / 0.85),
            "batch 128": ({"batch": 128}, "recipe, memory", None),
        },
    ),
    "exposed communication of fsdp": Expected(
        exposing(0.24, mode="fsdp"),
        "exposed communication",
        {
            "weights kept gathered": ({"reshard_after_forward": False}, "memory", 1 / 0.76),
            "accumulation over 2 passes": ({"accumulate": 2}, "recipe", 1 / (1 - 0.44 / 2)),
            "batch 256": ({"batch": 256}, "recipe, memory", None),
        },
    ),
    "exposed communication of gradients in 16 bits": Expected(
        exposing(0.24, buckets=3, compress_gradients="fp16", static_graph=True, gradient_as_bucket_view=True),
        "exposed communication",
        {
            "accumulation over 2 passes": ({"accumulate": 2}, "recipe", 1 / (1 - 0.44 / 2)),
            "batch 256": ({"batch": 256}, "recipe, memory", None),
        },
    ),
    "no overlap": Expected(
        exposing(0.08, find_unused_parameters=True),
        "no overlap",
        {
            "smaller buckets": ({"bucket_mb": 2}, "", 1 / 0.85),
            "static graph": ({**STATIC, "find_unused_parameters": False}, "", 1 / 0.85),
            "gradients in buckets": (VIEW, "", 1 / 0.9),
        },
    ),
    "a path through the host": Expected(
        hiding(0.3),
        "slow link",
        {
            "bf16 gradients": ({"compress_gradients": "bf16"}, "numerics", 1 / 0.7),
            "accumulation over 2 passes": ({"accumulate": 2}, "recipe", 1 / 0.85),
            "batch 256": ({"batch": 256}, "recipe, memory", None),
        },
    ),
    "DataParallel against DDP": Expected(
        data_parallel(with_ddp=True),
        "DataParallel overhead",
        {"DistributedDataParallel": ({"mode": "ddp"}, "", 2.6)},
    ),
    "DataParallel alone": Expected(
        data_parallel(with_ddp=False),
        "DataParallel overhead",
        {"DistributedDataParallel": ({"mode": "ddp"}, "", None)},
    ),
    "full memory": Expected(
        full(run("ddp", 2, on=GPUS)),
        "memory nearly full",
        {
            "checkpointed activations": ({"checkpoint_activations": "every"}, "", 1.0),
            "a smaller batch, accumulated": ({"batch": 64, "accumulate": 2}, "numerics", 1.0),
            "FSDP": ({"mode": "fsdp"}, "", 1.0),
            "bf16": ({"precision": "bf16"}, "numerics", None),
        },
    ),
    "memory that had to be freed first": Expected(
        full(run("ddp", 2, on=GPUS, precision="bf16", checkpoint_activations="every"), 50 * GIB, 3),
        "memory nearly full",
        {
            "a smaller batch, accumulated": ({"batch": 64, "accumulate": 2}, "numerics", None),
            "FSDP": ({"mode": "fsdp"}, "numerics", None),
        },
    ),
    "full memory of a T4 that takes an odd batch": Expected(
        full(
            run(on=[replace(GPUS[0], name="Tesla T4")], batch=5),
            host=gpu_host(compute_capability=(7, 5)),
        ),
        "memory nearly full",
        {
            "checkpointed activations": ({"checkpoint_activations": "every"}, "", 1.0),
            "a smaller batch": ({"batch": 2}, "recipe", 1.0),
            "fp16": ({"precision": "fp16"}, "numerics", None),
        },
    ),
    "full memory of a model without blocks": Expected(
        full(run(on=GPUS, model="lenet", precision="bf16")),
        "memory nearly full",
        {"a smaller batch, accumulated": ({"batch": 64, "accumulate": 2}, "numerics", 1.0)},
    ),
    "full memory of a language model": Expected(
        full(
            run(on=GPUS, training="tokens", model="gpt-tiny", precision="bf16", batch=4, sequence_length=128)
        ),
        "memory nearly full",
        {
            "checkpointed activations": ({"checkpoint_activations": "every"}, "", 1.0),
            "a smaller batch, accumulated": ({"batch": 2, "accumulate": 2}, "", 1.0),
        },
    ),
    "out of memory": Expected(
        too_large(512, 64),
        "out of memory",
        {
            "checkpointed activations": ({"checkpoint_activations": "every"}, "", None),
            "a smaller batch, accumulated": ({"batch": 64, "accumulate": 8}, "numerics", None),
            "bf16": ({"precision": "bf16"}, "numerics", None),
        },
    ),
    "out of memory, at a batch that is no multiple of what fits": Expected(
        too_large(500, 64),
        "out of memory",
        {
            "checkpointed activations": ({"checkpoint_activations": "every"}, "", None),
            "a smaller batch": ({"batch": 64}, "recipe", None),
            "bf16": ({"precision": "bf16"}, "numerics", None),
        },
    ),
    "steps that hardly grow": Expected(
        hardly_growing(),
        "too little work per step",
        {
            "batch 512": ({"batch": 512}, "recipe, memory", 4 / 1.21),
            "compile": ({"compile": True}, "", None),
            "channels last": ({"channels_last": True}, "", None),
        },
    ),
    "an idle GPU": Expected(
        idle(compile=True),
        "too little work per step",
        {
            "batch 256": ({"batch": 256}, "recipe, memory", 2.0),
            "channels last": ({"channels_last": True}, "", None),
        },
    ),
    "fp32 on an H200": Expected(
        in_fp32(int(6e12)),
        "low MFU in fp32",
        {
            "bf16": ({"precision": "bf16"}, "numerics", BF16),
            "tf32": ({"precision": "tf32"}, "numerics", TF32),
        },
    ),
    "fp32 on a GPU without a datasheet": Expected(
        in_fp32(int(1e12), "a card"),
        "low MFU in fp32",
        {
            "tf32": ({"precision": "tf32"}, "numerics", None),
            "bf16": ({"precision": "bf16"}, "numerics", None),
        },
    ),
    "fp32 on a T4": Expected(
        in_fp32(int(1e12), "Tesla T4", gpu_host(compute_capability=(7, 5))),
        "low MFU in fp32",
        {"fp16": ({"precision": "fp16"}, "numerics", 1 / (0.2 + 0.8 * 8.1 / 65))},
    ),
}


def found(expected: Expected) -> Diagnosis:
    diagnoses = {each.name: each for each in analyse(expected.folded).diagnoses}
    assert expected.diagnosis in diagnoses, list(diagnoses)
    return diagnoses[expected.diagnosis]


@pytest.mark.parametrize("expected", EXPECTED.values(), ids=EXPECTED)
def test_a_diagnosis_has_its_remedies(expected: Expected) -> None:
    remedies = found(expected).remedies
    assert {each.name: (each.changes, ", ".join(each.costs)) for each in remedies} == {
        name: (changes, costs) for name, (changes, costs, _) in expected.remedies.items()
    }
    assert [each.name for each in remedies] == list(expected.remedies)
    for each in remedies:
        ceiling = expected.remedies[each.name][2]
        assert each.ceiling == (ceiling and pytest.approx(ceiling, rel=0.01)), each.name


@pytest.mark.parametrize("expected", EXPECTED.values(), ids=EXPECTED)
def test_every_remedy_changes_something_and_can_be_run(expected: Expected) -> None:
    diagnosis = found(expected)
    it = expected.folded.runs[diagnosis.runs[0]].spec
    assert diagnosis.tried_on == it.label
    for remedy in diagnosis.remedies:
        assert changes_in_effect(it, remedy.changes) == remedy.changes
        changed = changed_run(it, remedy.changes, it.devices, expected.folded.host)
        assert changed.skip is None, remedy.name
        assert (changed.mode, changed.workloads) != (it.mode, it.workloads)


def test_the_page_lists_the_remedies_of_every_rule_with_their_costs() -> None:
    made: dict[tuple[str, str, frozenset[str]], set[str]] = {}
    """Costs by diagnosis, remedy and changed keys."""
    for expected in EXPECTED.values():
        for remedy in found(expected).remedies:
            name = re.sub(r"^(batch|accumulation over) \d+", r"\1 N", remedy.name)
            keys = frozenset(remedy.changes) - {"find_unused_parameters"}
            made.setdefault((expected.diagnosis, name, keys), set()).update(remedy.costs)
    table = PAGE.read_text().partition("| diagnosis | remedy |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", table, re.MULTILINE)
    listed = set()
    for diagnoses, name, keys, costs in rows[1:]:
        key = name, frozenset(re.findall(r"`(\w+)`", keys))
        found_here = [made[each, *key] for each in diagnoses.split(", ") if (each, *key) in made]
        assert found_here, f"no rule makes {name} for {diagnoses}"
        assert set().union(*found_here) == set(re.findall(r"\w+", costs)) & {*get_args(Cost)}, name
        listed |= {(each, *key) for each in diagnoses.split(", ")}
    assert made.keys() <= listed


@pytest.mark.parametrize(
    ("folded", "diagnosis", "why"),
    [
        (ran(run("ddp", 2), exchange("it", [0.04, 0.001], STEP, STEP)), "straggler", "another rank is slow"),
        (
            ran(run(on=GPUS), sampled(gpu_sample(throttle=("thermal (hardware)",))), host=CAPABLE),
            "throttled",
            "heat",
        ),
        (
            ran(run(), [breakdown("it", 0, input=[0.6 * STEP], backward=[0.4 * STEP])]),
            "input-bound",
            "the data are resident already",
        ),
        (
            ran(
                run(placement="loader", training="mine.py"), [breakdown("it", 0, input=[0.9], backward=[0.1])]
            ),
            "input-bound",
            "a step of the file's own data",
        ),
    ],
)
def test_a_diagnosis_without_a_remedy_says_so(folded: Session, diagnosis: str, why: str) -> None:
    if why.startswith("a step"):
        for rank in folded.runs["it"].ranks.values():
            rank.train_samples = None  # only a file that makes its batches itself leaves that open
    given = next(each for each in analyse(folded).diagnoses if each.name == diagnosis)
    assert given.remedies == ()
    assert given.advice.endswith("the program leaves this to you"), why


def test_what_another_diagnosis_or_the_data_forbid_is_no_remedy() -> None:
    def names(folded: Session) -> list[str]:
        return [remedy.name for each in analyse(folded).diagnoses for remedy in each.remedies]

    # 640 images: two devices can take 320 each in a step at most.
    assert not any(name.startswith(("batch", "accumulation")) for name in names(exposing(0.24, batch=320)))
    steps = [breakdown("it", 0, input=[0.6 * STEP], backward=[0.4 * STEP])]
    busy = ran(run(placement="loader", loader_workers=4), steps, settings=OVERSUBSCRIBED)
    assert "more loader workers" not in names(busy)
    # 640 images of 7,000 x 7,000 pixels take 88 GiB: a GPU with 100 GiB has room, a machine with 8 has none.
    for used, host, has_room in ((1, CAPABLE, True), (20, CAPABLE, False), (1, HOST, False)):
        it = run(on=GPUS if host is CAPABLE else CORES, placement="loader", image_size=7_000)
        large = names(ran(it, steps, [finished("it", used * GIB, 0)], host=host))
        assert "more prefetching" in large and ("resident data" in large) == has_room


def test_several_runs_share_the_remedies_of_the_gravest() -> None:
    """The second waits for three quarters of each step, the first for an eighth."""
    specs = [
        replace(run(placement="loader", batch=batch), id=name, label=name, configuration=name)
        for name, batch in (("first", 64), ("second", 128))
    ]
    waits = [breakdown("first", 0, input=[0.025], backward=[0.175])]
    waits += [breakdown("second", 0, input=[0.15], backward=[0.05])]
    runs = [*measured("first", [STEADY]), *measured("second", [STEADY])]
    (both, _) = analyse(session(opening(*specs), runs, waits)).diagnoses
    assert (both.runs, both.tried_on) == (("second", "first"), "second")
    assert [each.ceiling for each in both.remedies] == pytest.approx([4.0, 4.0, 4.0])
    assert "The program can try on second: resident data (memory; at most 4.00x)" in " ".join(
        diagnosis_lines(both, 200, with_evidence=True).plain.split()
    )


def test_remedies_are_shown_wherever_a_diagnosis_is() -> None:
    analysis = analyse(EXPECTED["exposed communication"].folded)
    assert "bf16 gradients (numerics; at most 1.32x)" in " ".join(diagnosis_text(analysis.diagnoses, 400))
    page = render(analysis, "md")
    assert "the program can try:" in page
    assert '- bf16 gradients (numerics; at most 1.32x): `compress_gradients = "bf16"`' in page
    assert '"name": "bf16 gradients"' in render(analysis, "json").replace('":"', '": "')
    free = Remedy(name="compile", changes={"compile": True})
    assert remedy_text(free) == "compile (no bound is known)"
    assert remedy_text(replace(free, ceiling=1.5)) == "compile (at most 1.50x)"


def test_a_slow_link_that_no_setting_mends_has_none() -> None:
    slow = bandwidth("it", "all_reduce", {64_000_000: 64e6 / 100e9, 256_000_000: 256e6 / 100e9})
    diagnosis = next(
        each
        for each in analyse(ran(run("ddp", 2, on=GPUS), [slow], host=CAPABLE)).diagnoses
        if each.name == "slow link"
    )
    assert (diagnosis.remedies, diagnosis.tried_on) == ((), "ddp x2")
