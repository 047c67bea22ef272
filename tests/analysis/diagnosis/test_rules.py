"""Every rule on recorded sessions that call for it, and on the like that do not."""

from collections.abc import Sequence
from typing import Any

import pytest
from building.sessions import (
    GIB,
    HOST,
    bandwidth,
    breakdown,
    communication,
    failed,
    measured,
    opening,
    rank_up,
    session,
    spec,
    windows,
)
from building.symptoms import GPUS, STEADY, STEP, exchange, finished, gpu_host, gpu_sample, sampled
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.diagnosis.case import Diagnosis
from gpubench_tui.engine.analysis.export import render
from gpubench_tui.engine.analysis.report.diagnosis import diagnosis_text
from gpubench_tui.engine.host.facts import CpuSample, GpuProcess, GpuSample
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    Event,
    Failure,
    ModelBuilt,
    RankMeasured,
    RunFinished,
    RunStarted,
)
from gpubench_tui.engine.record.session import Session
from msgspec.structs import replace

SINGLE = spec("single", "single", baseline="single")
DDP = spec("ddp", "ddp", 2, baseline="single")
ON_GPU = spec("gpu", "single", on=GPUS)
ON_GPUS = spec("gpus", "ddp", 2, on=GPUS)


def names(folded: Session) -> set[str]:
    return {diagnosis.name for diagnosis in analyse(folded).diagnoses}


def one(folded: Session, name: str) -> Diagnosis:
    found = {diagnosis.name: diagnosis for diagnosis in analyse(folded).diagnoses}
    assert name in found, found
    return found[name]


def figures(diagnosis: Diagnosis) -> str:
    return "; ".join(f"{item.what}: {item.value}" for item in diagnosis.evidence)


def test_a_sound_session_has_no_diagnosis() -> None:
    faster = [seconds * 1.05 for seconds in STEADY]
    folded = session(
        opening(SINGLE, DDP),
        measured("single", [STEADY]),
        measured("ddp", [faster, faster]),
        [breakdown("ddp", rank, input=[0.002], backward=[0.2]) for rank in range(2)],
        exchange("ddp", [0.004, 0.005], with_sync=0.205, without=0.2),
        [epochs_of("ddp", rank, 5) for rank in range(2)],
        sampled(),
    )
    assert analyse(folded).diagnoses == ()
    assert "Diagnosis" not in render(analyse(folded), "md")


def test_nothing_is_said_of_a_session_that_has_only_begun() -> None:
    assert analyse(session(opening(SINGLE, DDP), [RunStarted(at=0.5, run="single")])).diagnoses == ()
    assert analyse(Session()).diagnoses == ()


@pytest.mark.parametrize(("wait", "severity"), [(0.030, "warning"), (0.060, "severe")])
def test_a_rank_that_waits_for_its_batches(wait: float, severity: str) -> None:
    ranks = [
        breakdown("ddp", 0, input=[0.001], backward=[0.199]),
        breakdown("ddp", 1, input=[wait], backward=[STEP - wait]),
    ]
    folded = session(opening(SINGLE, DDP), measured("ddp", [STEADY, STEADY]), ranks)
    found = one(folded, "input-bound")
    assert (found.severity, found.runs) == (severity, ("ddp",))
    assert f"rank 1 waits for a batch: {wait * 1e3:.1f} ms per step" in figures(found)


def test_a_wait_of_a_millisecond_is_none() -> None:
    short = breakdown("single", 0, input=[0.0015], backward=[0.003])
    assert names(session(opening(SINGLE), measured("single", [STEADY]), [short])) == set()


def test_less_than_on_synthetic_data() -> None:
    real = Workload(name="real", data="folder", data_dir="/pictures", placement="loader", augment=("flip",))
    plan = opening(spec("fast", "single"), spec("slow", "single", workloads=[real]))
    slower = [1.2 * seconds for seconds in STEADY]
    folded = session(plan, measured("fast", [STEADY]), measured("slow", [slower]))
    found = one(folded, "input-bound")
    assert found.runs == ("slow",)
    assert "83.3%" in found.sentence
    other_model = replace(real, model="vit-tiny")
    plan = opening(spec("fast", "single"), spec("slow", "single", workloads=[other_model]))
    assert names(session(plan, measured("fast", [STEADY]), measured("slow", [slower]))) == set()


def test_the_same_rate_at_every_batch_and_device_count() -> None:
    def loading(batch: int) -> list[Workload]:
        return [Workload(name="cnn", placement="loader", batch=batch)]

    specs = [
        spec("a", "single", workloads=loading(128)),
        spec("b", "single", workloads=loading(256)),
        spec("c", "ddp", 2, workloads=loading(256)),
    ]
    each = [measured("a", [STEADY]), measured("b", [STEADY]), measured("c", [STEADY, STEADY], samples=320)]
    found = one(session(opening(*specs), *each), "input-bound")
    assert (found.severity, found.runs) == ("severe", ("a", "b", "c"))
    assert "640 samples/s" in figures(found)
    each[2] = measured("c", [STEADY, STEADY], samples=640)
    assert "input-bound" not in names(session(opening(*specs), *each))


def test_more_workers_than_the_processors_serve() -> None:
    many = [Workload(name="cnn", placement="loader", loader_workers=16)]
    settings: dict[str, str | int | float | bool] = {"threads": 2, "affinity": "0,1", "cores": 2}
    settings["omp_num_threads"] = "unset"
    folded = session(
        opening(spec("single", "single", workloads=many)), measured("single", [STEADY], settings=settings)
    )
    found = one(folded, "CPU oversubscribed")
    assert "18 threads and loader workers on 2 CPUs" in found.sentence
    assert "OMP_NUM_THREADS in the environment: unset" in figures(found)
    settings["affinity"] = ",".join(map(str, range(16)))
    folded = session(
        opening(spec("single", "single", workloads=many)), measured("single", [STEADY], settings=settings)
    )
    assert names(folded) == set()


def test_nobody_advises_what_another_diagnosis_advises_against() -> None:
    """Too many loader workers already, and yet its batches come late: in one run, or in two of a session."""
    many = [Workload(name="cnn", placement="loader", loader_workers=16)]
    few = [Workload(name="cnn", placement="loader", loader_workers=1)]
    settings: dict[str, str | int | float | bool] = {"threads": 1, "affinity": "0,1", "cores": 2}
    specs = spec("crowded", "single", workloads=many), spec("slow", "single", workloads=few)
    for late in ("crowded", "slow"):
        folded = session(
            opening(*specs),
            *(measured(each.id, [STEADY], settings=settings) for each in specs),
            [breakdown(late, 0, input=[0.06], backward=[0.14])],
        )
        assert one(folded, "CPU oversubscribed").advice.startswith("fewer loader_workers")
        remedy = one(folded, "input-bound").advice
        assert "or try more loader_workers" not in remedy
        assert "more loader_workers do not help, as the CPUs are oversubscribed already" in remedy
    alone = session(
        opening(specs[1]),
        measured("slow", [STEADY], settings=settings),
        [breakdown("slow", 0, input=[0.06], backward=[0.14])],
    )
    assert "or try more loader_workers" in one(alone, "input-bound").advice


def test_no_larger_batch_where_memory_is_nearly_full() -> None:
    turns = list(exchange("gpus", [0.05, 0.05], with_sync=STEP, without=0.15))
    for reserved, remedy in (
        (95 * GIB, "there is no memory for a larger batch"),
        (50 * GIB, "a larger batch per device, "),
    ):
        folded = session(
            opening(ON_GPUS, host=gpu_host()),
            measured("gpus", [STEADY, STEADY]),
            turns,
            [finished("gpus", reserved, 0)],
        )
        assert remedy in one(folded, "exposed communication").advice


@pytest.mark.parametrize(
    ("keys", "named", "not_named"),
    [
        ({}, ["accumulate = 2", 'compress_gradients = "bf16"', "bucket_mb = 100"], []),
        ({"accumulate": 4, "compress_gradients": "fp16"}, ["accumulate = 8"], ["compress_gradients"]),
    ],
)
def test_ways_to_exchange_less_are_keys_and_not_those_in_use(
    keys: dict[str, Any], named: list[str], not_named: list[str]
) -> None:
    turns = list(exchange("ddp", [0.05, 0.05], with_sync=STEP, without=0.15, buckets=4))
    run = replace(DDP, workloads=(Workload(**keys),))
    remedy = one(
        session(opening(run), measured("ddp", [STEADY, STEADY]), turns), "exposed communication"
    ).advice
    assert all(key in remedy for key in named), remedy
    assert not any(key in remedy for key in not_named), remedy


def test_ranks_with_unequal_threads() -> None:
    events = measured("ddp", [STEADY, STEADY], settings={"threads": 4, "omp_num_threads": "4"})
    fewer = rank_up("ddp", 1, {"threads": 1, "omp_num_threads": "4"})[0]
    found = one(session(opening(DDP), events[:-1], [fewer], events[-1:]), "unequal threads")
    assert figures(found).endswith("threads of rank 1: 1; OMP_NUM_THREADS in the environment: 4")


def test_ranks_that_consume_unequal_samples() -> None:
    events = [RunStarted(at=0.5, run="ddp"), *rank_up("ddp", 0), *rank_up("ddp", 1)]
    events += [*windows("ddp", 0, STEADY), *windows("ddp", 1, STEADY, samples=512)]
    folded = session(opening(DDP), events, [RunFinished(at=10.0, run="ddp", outcome="measured")])
    found = one(folded, "work not divided")
    assert "samples of rank 1: 3,072" in figures(found)


def epochs_of(run: str, rank: int, steps: int) -> Event:
    return ModelBuilt(
        at=1.6, run=run, rank=rank, parameters=1, train_samples=640, test_samples=1, steps_per_epoch=steps
    )


def test_ranks_that_all_train_on_everything() -> None:
    whole = [epochs_of("ddp", rank, 10) for rank in range(2)]
    each = [measured("single", [STEADY]), measured("ddp", [STEADY, STEADY])]
    assert "10 for 640 samples" in figures(
        one(session(opening(SINGLE, DDP), *each, whole), "work not divided")
    )
    halves = [epochs_of("ddp", rank, 5) for rank in range(2)]
    assert names(session(opening(SINGLE, DDP), *each, halves)) == set()


def test_settings_that_differ_from_the_baselines() -> None:
    folded = session(
        opening(SINGLE, DDP),
        measured("single", [STEADY], settings={"matmul_tf32": True}),
        measured("ddp", [STEADY, STEADY], settings={"matmul_tf32": False}),
    )
    found = one(folded, "not comparable")
    assert "matmul_tf32: False against True" in figures(found)


@pytest.mark.parametrize(("second", "found"), [("0123", False), ("4567", True)])
def test_repeats_of_a_file_that_changed_meanwhile(second: str, found: bool) -> None:
    repeats = [
        spec("single", "single", repeat_of=("single", 1)),
        spec("again", "single", repeat_of=("single", 2)),
    ]
    folded = session(
        opening(*repeats),
        measured("single", [STEADY], settings={"training_file": "0123"}),
        measured("again", [STEADY], settings={"training_file": second}),
    )
    assert ("unequal repeats" in names(folded)) == found
    if found:
        diagnosis = one(folded, "unequal repeats")
        assert diagnosis.severity == "severe"
        assert "repeat 2 against repeat 1: training_file: 4567 against 0123" in figures(diagnosis)


def test_a_speedup_that_the_devices_cannot_give() -> None:
    slow = [1.5 * seconds for seconds in STEADY]
    folded = session(opening(SINGLE, DDP), measured("single", [slow]), measured("ddp", [STEADY, STEADY]))
    found = one(folded, "super-linear")
    assert found.severity == "severe"
    assert "3.00x, of which its devices account for 2.00x at most" in figures(found)
    # Beyond its devices by chance: the interval reaches down to what they explain.
    shaky = [seconds * each for seconds, each in zip(slow, (0.4, 1.6, 1.0, 1.7, 0.5), strict=False)]
    noisy = session(opening(SINGLE, DDP), measured("single", [shaky]), measured("ddp", [STEADY, STEADY]))
    assert [each.name for each in analyse(noisy).diagnoses if each.name == "super-linear"] == []


def test_a_step_that_hardly_grows_with_its_batch() -> None:
    def at(batch: int) -> list[Workload]:
        return [Workload(name="cnn", batch=batch)]

    plan = opening(spec("a", "single", workloads=at(8)), spec("b", "single", workloads=at(16)))
    longer = [1.1 * seconds for seconds in STEADY]
    folded = session(plan, measured("a", [STEADY]), measured("b", [longer], samples=1280))
    found = one(folded, "too little work per step")
    assert (found.runs, "10.0%" in found.sentence) == (("a",), True)
    double = [1.9 * seconds for seconds in STEADY]
    assert names(session(plan, measured("a", [STEADY]), measured("b", [double], samples=1280))) == set()


def test_an_idle_gpu_is_only_blamed_on_the_host_where_data_are_there() -> None:
    def with_input(seconds: float) -> Session:
        return session(
            opening(ON_GPU, host=gpu_host()),
            measured("gpu", [STEADY]),
            [breakdown("gpu", 0, input=[seconds], backward=[STEP - seconds])],
            sampled(gpu_sample(utilization=40.0)),
        )

    found = one(with_input(0.0), "too little work per step")
    assert "GPU 0 runs a kernel: 40% of the time" in figures(found)
    assert names(with_input(0.1)) == {"input-bound"}
    alone = session(
        opening(ON_GPU, host=gpu_host()), measured("gpu", [STEADY]), sampled(gpu_sample(utilization=40.0))
    )
    assert names(alone) == set(), "utilisation decides nothing by itself"


def test_synchronisation_that_nothing_hides() -> None:
    def syncing(least: float, cost: float, noise: float = 0.001) -> set[str]:
        turns = exchange("ddp", [least, least + 0.001], with_sync=STEP, without=STEP - cost, noise=noise)
        return names(session(opening(DDP), measured("ddp", [STEADY, STEADY]), turns))

    assert syncing(0.030, 0.040) == {"exposed communication"}
    assert syncing(0.005, 0.040) == set(), "the rank that waits least hides it"
    assert syncing(0.030, 0.010) == set(), "too cheap to matter"
    assert syncing(0.030, 0.040, noise=0.030) == set(), "below the noise"
    turns = exchange("ddp", [0.03, 0.03], with_sync=STEP, without=STEP - 0.05)
    found = one(session(opening(DDP), measured("ddp", [STEADY, STEADY]), turns), "exposed communication")
    assert found.severity == "severe"
    assert "share of the step: 25.0%" in figures(found)


def test_the_straggler_is_the_rank_that_is_exposed_least() -> None:
    turns = exchange("ddp", [0.057, 0.007], with_sync=STEP, without=0.199)
    ranks = [
        breakdown("ddp", 0, backward=[0.013], exposed=[0.057]),
        breakdown("ddp", 1, backward=[0.063], exposed=[0.007]),
    ]
    found = one(session(opening(DDP), measured("ddp", [STEADY, STEADY]), turns, ranks), "straggler")
    assert "wait 25.0% of each step for rank 1 (core 1)" in found.sentence
    assert "rank 1 per step: input 0 µs, forward 0 µs, backward 63.0 ms" in figures(found)
    even = exchange("ddp", [0.057, 0.050], with_sync=STEP, without=0.199)
    assert "straggler" not in names(session(opening(DDP), measured("ddp", [STEADY, STEADY]), even))


def test_a_rank_that_keeps_the_others_waiting_for_its_buffers() -> None:
    """Rank 0 comes late with its batch: the other waits before its forward, where buffers are broadcast."""

    def late(run: str, rank: int, early: float) -> Event:
        times = [100.0 + i for i in range(8)]
        return communication(run, rank, [(1000, times, [at + 0.01 for at in times])], buffers=[early] * 8)

    folded = session(
        opening(DDP), measured("ddp", [STEADY, STEADY]), [late("ddp", 0, 0.001), late("ddp", 1, 0.061)]
    )
    assert "wait 30.0% of each step for rank 0" in one(folded, "straggler").sentence


@pytest.mark.parametrize(("gigabytes", "found"), [(100, {"slow link"}), (300, set())])
def test_a_link_that_is_slower_than_it_should(gigabytes: int, found: set[str]) -> None:
    size = 256 << 20
    curve = bandwidth("gpus", "all_reduce", {1024: 1e-5, size: size / (gigabytes * 1e9)})
    folded = session(opening(ON_GPUS, host=gpu_host()), measured("gpus", [STEADY, STEADY]), [curve])
    assert names(folded) == found
    if found:
        text = figures(one(folded, "slow link"))
        assert "best busbw measured: 100.0 GB/s" in text
        assert "datasheet rate of NV18, one way: 450.0 GB/s" in text


@pytest.mark.parametrize(
    ("name", "size", "remedy"),
    [
        ("NVIDIA H200", 16 << 20, None),  # too small to say anything
        ("NVIDIA H200", (64 << 20) - 64, "see that NCCL uses"),  # what three ranks can divide
        ("NVIDIA H100 PCIe", 256 << 20, "this may be all that NCCL reaches over NVLink bridges"),
        ("NVIDIA H100 NVL", 256 << 20, "this may be all that NCCL reaches over NVLink bridges"),
    ],
)
def test_a_slow_link_is_judged_by_large_messages_and_by_its_kind(
    name: str, size: int, remedy: str | None
) -> None:
    host = gpu_host(name=name)
    curve = bandwidth("gpus", "all_reduce", {1024: 1e-5, size: size / 100e9})
    folded = session(opening(ON_GPUS, host=host), measured("gpus", [STEADY, STEADY]), [curve])
    if remedy is None:
        assert names(folded) == set()
    else:
        assert one(folded, "slow link").advice.startswith(remedy)


def test_lanes_between_switches_have_a_rate_too() -> None:
    host = gpu_host("PIX", pcie_generation_max=4, pcie_width_max=16)
    curve = bandwidth("gpus", "all_gather", {256 << 20: (256 << 20) / 16e9})  # what fsdp measures
    folded = session(opening(ON_GPUS, host=host), measured("gpus", [STEADY, STEADY]), [curve])
    found = one(folded, "slow link")
    assert "best busbw measured: 8.0 GB/s" in figures(found)
    assert "datasheet rate of PIX, one way: 31.5 GB/s" in figures(found)


def test_a_path_through_the_host_only_where_it_costs() -> None:
    def through(kind: str, cost: float) -> set[str]:
        turns = exchange("gpus", [0.001, 0.001], with_sync=STEP, without=STEP - cost)
        ranks = measured("gpus", [STEADY, STEADY])
        return names(session(opening(ON_GPUS, host=gpu_host(kind)), ranks, turns))

    assert through("SYS", 0.05) == {"slow link"}
    assert through("SYS", 0.005) == set()
    assert through("PIX", 0.05) == set()


@pytest.mark.parametrize(
    ("peer_access", "cost", "severity"),
    [(False, 0.05, "warning"), (False, 0.005, "info"), (True, 0.05, None), (None, 0.05, None)],
)
def test_gpus_that_cannot_read_each_others_memory(
    peer_access: bool | None, cost: float, severity: str | None
) -> None:
    host = gpu_host("PIX", peer_access)
    turns = exchange("gpus", [0.001, 0.001], with_sync=STEP, without=STEP - cost)
    folded = session(opening(ON_GPUS, host=host), measured("gpus", [STEADY, STEADY]), turns)
    found = {diagnosis.name: diagnosis for diagnosis in analyse(folded).diagnoses}
    assert (found["slow link"].severity if found else None) == severity
    if severity:
        assert figures(found["slow link"]) == "GPU 0 - GPU 1 (PIX): no peer access"
        assert ("25.0% of a step" in found["slow link"].sentence) == (severity == "warning")
    alone = session(opening(ON_GPU, host=host), measured("gpu", [STEADY]))
    assert names(alone) == set(), "one GPU exchanges nothing"


def pcie(generation: int | None, width: int | None, **more: object) -> Sequence[Event]:
    """Two GPUs with this PCIe link under load; while they are idle, both have generation 1."""
    first = gpu_sample(pcie_generation=generation, pcie_width=width, **more)
    return sampled(first, gpu_sample(index=1, pcie_generation=5, pcie_width=16))


WHOLE_PCIE = {"pcie_generation_max": 5, "pcie_width_max": 16}


@pytest.mark.parametrize(
    ("samples", "evidence"),
    [
        (pcie(5, 16), ""),
        (pcie(None, None), ""),
        (pcie(3, 16), "PCIe generation of GPU 0, highest under load: 3 of at most 5"),
        (pcie(5, 8), "PCIe lanes of GPU 0, most while measured: 8 of 16"),
        (pcie(3, 16, utilization=20.0), ""),
        (pcie(3, 16, utilization=None), ""),
        (pcie(5, 8, utilization=20.0), "PCIe lanes of GPU 0, most while measured: 8 of 16"),
    ],
)
def test_a_pcie_link_below_its_maximum_under_load(samples: Sequence[Event], evidence: str) -> None:
    def diagnosed(kind: str) -> list[Diagnosis]:
        host = gpu_host(kind, **WHOLE_PCIE)
        turns = exchange("gpus", [0.001, 0.001], with_sync=STEP, without=0.199)
        ranks = measured("gpus", [STEADY, STEADY])
        found = analyse(session(opening(ON_GPUS, host=host), ranks, turns, samples)).diagnoses
        return [diagnosis for diagnosis in found if diagnosis.name == "slow link"]

    assert [figures(diagnosis) for diagnosis in diagnosed("PIX")] == ([evidence] if evidence else [])
    severities = [(a.severity, b.severity) for a, b in zip(diagnosed("PIX"), diagnosed("NV18"), strict=True)]
    assert severities == ([("warning", "info")] if evidence else []), "over NVLink only batches come by PCIe"


def test_a_pcie_link_of_which_the_maximum_is_unknown() -> None:
    folded = session(opening(ON_GPU, host=gpu_host()), measured("gpu", [STEADY]), pcie(3, 8))
    assert names(folded) == set()


def test_one_slow_link_is_one_diagnosis_with_all_its_evidence() -> None:
    turns = exchange("gpus", [0.001, 0.001], with_sync=STEP, without=STEP - 0.05)
    plan = opening(ON_GPUS, host=gpu_host("SYS", False, **WHOLE_PCIE))
    folded = session(plan, measured("gpus", [STEADY, STEADY]), turns, pcie(5, 4))
    text = figures(one(folded, "slow link"))
    for part in ("link between its GPUs: SYS", "no peer access", "PCIe lanes of GPU 0"):
        assert part in text


def test_data_parallel_behind_ddp() -> None:
    dp, ddp = spec("dp", "dp", 2, on=GPUS), spec("ddp", "ddp", 2, on=GPUS)
    slow = [2.6 * seconds for seconds in STEADY]
    done = RankMeasured(
        at=9.1,
        run="dp",
        rank=0,
        stop_reason="",
        peak_memory_bytes=[6 * GIB, 3 * GIB],
        peak_reserved_bytes=[None, None],
    )
    events = [*measured("dp", [slow], samples=1280), done]
    exchange = {"scatter": [0.01], "replicate": [0.05], "gather": [0.04], "reduce": [0.03]}
    look = [breakdown("dp", 0, exchange, forward=[0.3], backward=[0.22])]  # type: ignore[arg-type]
    folded = session(opening(dp, ddp, host=gpu_host()), events, look, measured("ddp", [STEADY, STEADY]))
    found = one(folded, "DataParallel overhead")
    assert "its data exchange takes 25.0% of a step" in found.sentence
    assert (found.runs, "0.38x" in found.sentence) == (("dp",), True)
    text = figures(found)
    assert "scatter + replicate + gather + reduce on its first device: 130 ms, 25.0% of a step" in text
    assert "replicate alone: 50.0 ms per step" in text
    assert "peak memory of its first device: 6.00 GiB, of the others at most 3.00 GiB" in text
    fast = [*measured("dp", [STEADY], samples=1280)]
    assert names(session(opening(dp, ddp), fast, measured("ddp", [STEADY, STEADY]))) == set()


@pytest.mark.parametrize(
    ("sample", "severity"),
    [
        (gpu_sample(sm_clock_mhz=1200.0), "warning"),
        (gpu_sample(throttle=("thermal (hardware)",)), "warning"),
        (gpu_sample(throttle=("power cap",)), "info"),
        (gpu_sample(sm_clock_mhz=1200.0, throttle=("power cap",)), "warning"),
        (gpu_sample(sm_clock_mhz=1200.0, utilization=20.0), None),
        (gpu_sample(sm_clock_mhz=1200.0, utilization=None), None),
        (gpu_sample(), None),
    ],
)
def test_clocks_held_down(sample: GpuSample, severity: str | None) -> None:
    folded = session(opening(ON_GPU, host=gpu_host()), measured("gpu", [STEADY]), sampled(sample))
    found = {diagnosis.name: diagnosis for diagnosis in analyse(folded).diagnoses}
    assert (found["throttled"].severity if found else None) == severity
    if severity and sample.throttle:
        assert f"GPU 0: {sample.throttle[0]}: in 100% of the samples" in figures(found["throttled"])


def test_processes_of_others_on_a_gpu() -> None:
    stranger = GpuProcess(777, "python")
    before = gpu_host(processes=(stranger,))
    found = one(session(opening(ON_GPU, host=before), measured("gpu", [STEADY])), "shared GPU")
    assert "python (777)" in figures(found)
    hidden = gpu_host(memory_used_bytes=20 * GIB, memory_bytes=80 * GIB)
    found = one(session(opening(ON_GPU, host=hidden), measured("gpu", [STEADY])), "shared GPU")
    assert "20.0 GiB of 80.0 GiB" in figures(found)
    drivers_own = gpu_host(memory_used_bytes=GIB, memory_bytes=80 * GIB)
    assert names(session(opening(ON_GPU, host=drivers_own), measured("gpu", [STEADY]))) == set()
    ours = GpuProcess(10, "python")

    def with_processes(*processes: GpuProcess) -> set[str]:
        samples = sampled(gpu_sample(processes=processes))
        return names(session(opening(ON_GPU, host=gpu_host()), measured("gpu", [STEADY]), samples))

    assert with_processes(ours, stranger) == {"shared GPU"}
    assert with_processes(ours) == set()
    assert with_processes(stranger) == set(), "a container's driver numbers our own process otherwise"


def test_other_programs_on_the_processors() -> None:
    busy = sampled(cpu=CpuSample((100.0, 100.0, 100.0, 20.0), GIB, 8 * GIB, 120.0, GIB))
    found = one(session(opening(SINGLE), measured("single", [STEADY]), busy), "busy machine")
    assert "2.0 of 4 CPUs" in found.sentence
    own = sampled(cpu=CpuSample((100.0, 100.0, 100.0, 20.0), GIB, 8 * GIB, 310.0, GIB))
    assert names(session(opening(SINGLE), measured("single", [STEADY]), own)) == set()


@pytest.mark.parametrize(
    ("percent", "on_gpu", "severity"),
    [
        *((-1.0, False, None), (6.0, False, None), (12.0, False, "warning"), (30.0, False, "severe")),
        *((12.0, True, None), (30.0, True, "warning"), (60.0, True, "severe")),
    ],
)
def test_other_programs_on_the_cpus_of_the_ranks(percent: float, on_gpu: bool, severity: str | None) -> None:
    quiet = CpuSample((40.0,) * 4, GIB, 8 * GIB, 130.0, GIB)
    samples = sampled(cpu=replace(quiet, others_percent=percent))
    run = [opening(ON_GPU, host=gpu_host()), measured("gpu", [STEADY])] if on_gpu else None
    folded = session(*(run or [opening(SINGLE), measured("single", [STEADY])]), samples)
    assert analyse(folded).results[0].others_on_cpus == max(0.0, percent / 100)
    if severity is None:
        assert names(folded) == set()
        return
    found = one(folded, "busy machine")
    assert found.severity == severity
    assert f"other programs used {percent:.1f}% of its CPUs" in found.sentence
    said = render(analyse(folded), "md")
    assert f"they used at most {percent:.1f}% of a run's CPUs" in said
    assert ("not credible: busy machine" in said) == (severity == "severe")


def test_a_load_before_the_session_counts_where_nothing_better_is_known() -> None:
    loaded = replace(HOST, cpu=replace(HOST.cpu, load_average=3.5))
    whole = [opening(SINGLE, host=loaded), measured("single", [STEADY])]
    assert names(session(*whole)) == {"busy machine"}
    assert names(session(opening(SINGLE, host=loaded), failed("single"))) == set(), "it distorted no figure"
    known = sampled(cpu=CpuSample((40.0,) * 4, GIB, 8 * GIB, 130.0, GIB, others_percent=1.0))
    assert names(session(*whole, known)) == set()


@pytest.mark.parametrize(("percent", "severity"), [(0.0, None), (4.0, "warning"), (25.0, "severe")])
def test_kernels_of_other_programs(percent: float, severity: str | None) -> None:
    samples = sampled(gpu_sample(others_percent=percent))
    folded = session(opening(ON_GPU, host=gpu_host()), measured("gpu", [STEADY]), samples)
    (use,) = analyse(folded).results[0].gpus
    assert use.others == pytest.approx(percent / 100)
    if severity is None:
        assert names(folded) == set()
        return
    found = one(folded, "shared GPU")
    assert found.severity == severity and f"for {percent:.1f}" in found.sentence
    assert "other programs |" in render(analyse(folded), "md")


def test_a_run_that_slows_down() -> None:
    wobble = [0.002, -0.002, 0.001, -0.001, 0.0]
    slower = [1 + 0.01 * i + wobble[i % 5] for i in range(18)]
    found = one(session(opening(SINGLE), measured("single", [slower])), "drift")
    assert "slowed down by" in found.sentence
    noisy = [1 + 50 * wobble[i % 5] for i in range(18)]
    assert names(session(opening(SINGLE), measured("single", [noisy]))) == set()


def test_no_difference_beyond_the_noise() -> None:
    def against(mode_devices: int) -> Diagnosis:
        other = spec("ddp", "ddp", mode_devices, baseline="single")
        ranks = [[1.001 * s for s in STEADY]] * mode_devices
        samples = 640 // mode_devices
        folded = session(
            opening(SINGLE, other), measured("single", [STEADY]), measured("ddp", ranks, samples=samples)
        )
        return one(folded, "no difference")

    assert against(1).severity == "info"
    assert against(2).severity == "warning", "a second device ought to make one"
    assert "although it has more devices" in against(2).sentence


def test_memory_that_is_nearly_full() -> None:
    def with_peak(reserved: int, retries: int) -> tuple[Diagnosis, ...]:
        done = finished("gpu", reserved, retries)
        return analyse(session(opening(ON_GPU, host=gpu_host()), measured("gpu", [STEADY]), [done])).diagnoses

    (full,) = with_peak(95 * GIB, 0)
    assert full.name == "memory nearly full"
    assert "peak in use: 95.0% of 100 GiB" in figures(full)
    (retried,) = with_peak(50 * GIB, 3)
    assert "had to free memory first: 3" in figures(retried)
    assert with_peak(50 * GIB, 0) == ()


@pytest.mark.parametrize(
    ("torch", "variable"),
    [
        ("2.8.0", "PYTORCH_CUDA_ALLOC_CONF"),
        ("2.13.0+cu130", "PYTORCH_ALLOC_CONF"),
        (None, "PYTORCH_CUDA_ALLOC_CONF"),
    ],
)
def test_advice_against_fragmentation_names_the_variable_that_this_torch_reads(
    torch: str | None, variable: str
) -> None:
    host = gpu_host()
    host = replace(host, software=replace(host.software, torch=torch))
    events = [measured("gpu", [STEADY]), [finished("gpu", 95 * GIB, 0)]]
    (full,) = analyse(session(opening(ON_GPU, host=host), *events)).diagnoses
    assert f" {variable}=expandable_segments:True" in full.advice


def test_what_does_not_fit_names_the_batch_that_does() -> None:
    def at(batch: int) -> list[Workload]:
        return [Workload(name="cnn", batch=batch)]

    small = spec("small", "single", on=GPUS, workloads=at(64))
    large = spec("large", "single", on=GPUS, workloads=at(512))
    failure = Failure("out of memory", 0, "CUDA out of memory at batch 512", None)
    ended: list[Event] = [
        RunStarted(at=11, run="large"),
        RunFinished(at=12, run="large", outcome="failed", failure=failure),
    ]
    folded = session(opening(small, large, host=gpu_host()), measured("small", [STEADY]), ended)
    found = one(folded, "out of memory")
    assert found.severity == "severe"
    assert found.sentence == "single x1: it does not fit at batch 512 per device; batch 64 does"
    assert "memory of its smallest device: 100 GiB" in figures(found)
    (alone,) = analyse(session(opening(large, host=gpu_host()), ended)).diagnoses
    assert "no smaller batch was measured" in alone.sentence


def test_the_gravest_comes_first_and_each_name_once() -> None:
    slow = [1.5 * seconds for seconds in STEADY]
    folded = session(
        opening(SINGLE, DDP, host=replace(HOST, cpu=replace(HOST.cpu, load_average=9.0))),
        measured("single", [slow]),
        measured("ddp", [STEADY, STEADY]),
        [breakdown("single", 0, input=[0.03], backward=[0.17])],
        [breakdown("ddp", rank, input=[0.06], backward=[0.14]) for rank in range(2)],
        [epochs_of("ddp", rank, 5) for rank in range(2)],
    )
    found = analyse(folded).diagnoses
    assert [(each.name, each.severity) for each in found] == [
        ("super-linear", "severe"),
        ("input-bound", "severe"),
        ("busy machine", "warning"),
    ]
    waiting = found[1]
    assert waiting.runs == ("ddp", "single")
    assert waiting.sentence.endswith("(and 1 more run)")
    assert "single x1: rank 0" in figures(waiting)
    report = render(analyse(folded), "md")
    assert report.index("## Diagnosis") < report.index("## Results")
    assert "- **super-linear** (severe): ddp x2: 3.00x the throughput of single x1" in report
    assert '"name": "super-linear"' in render(analyse(folded), "json")
    lines = diagnosis_text(found, 60)
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith("severe: super-linear: ddp x2: 3.00x")
