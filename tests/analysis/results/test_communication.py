import random
from collections.abc import Sequence

import pytest
from building.sessions import (
    HOST,
    bandwidth,
    breakdown,
    built,
    communication,
    measured,
    opening,
    session,
    spec,
)
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.analysis.results.bandwidth import bus_factor, curve
from gpubench_tui.engine.analysis.results.communication import Communication
from gpubench_tui.engine.analysis.results.result import result_of
from gpubench_tui.engine.host.facts import Gpu, Link
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.plan.workload.workload import Compression, Workload
from gpubench_tui.engine.record.events import Collective, Event
from gpubench_tui.engine.record.session import Session
from msgspec.structs import replace

MB = 1_000_000
STEPS = 10


def communication_of(folded: Session, run: str = "ddp") -> Communication:
    found = result_of(folded, run).communication
    assert found is not None
    return found


def ddp(*said: Event, ranks: int = 2) -> Session:
    """A run whose steps take 40 ms in the windows."""
    return session(opening(spec("ddp", "ddp", ranks)), measured("ddp", [[0.2] * 6] * ranks), said)


def at(offset: float) -> list[float]:
    """That offset in each of the steps, which begin a second apart."""
    return [100.0 + step + offset for step in range(STEPS)]


@pytest.mark.parametrize(("ranks", "factor"), [(2, 1.0), (4, 1.5)])
def test_known_bytes_in_known_seconds_have_the_right_bandwidth(ranks: int, factor: float) -> None:
    said = [communication("ddp", rank, [(25 * MB, at(0.010), at(0.035))]) for rank in range(ranks)]
    found = communication_of(ddp(*said, ranks=ranks))
    (bucket,) = found.buckets
    assert bucket.transfer_seconds == pytest.approx(0.025)
    assert bucket.algbw == pytest.approx(1e9)
    assert bucket.busbw == pytest.approx(factor * 1e9)
    assert found.busbw == pytest.approx(factor * 1e9)
    assert (found.bytes_per_step, found.bytes_provenance) == (25 * MB, "measured")


def test_a_bucket_whose_times_make_no_sense_is_still_sent() -> None:
    """It ends before the last rank begins it: their clocks are not quite one."""
    whole, odd = (MB, at(0.010), at(0.035)), (1000, at(0.040), at(0.041))
    late = communication("ddp", 1, [whole, (1000, at(0.042), at(0.0415))])
    found = communication_of(ddp(communication("ddp", 0, [whole, odd]), late))
    assert [bucket.bytes for bucket in found.buckets] == [MB]
    assert found.bytes_per_step == MB + 1000


def test_waiting_for_the_slowest_is_no_transfer() -> None:
    early = communication("ddp", 0, [(MB, at(0.010), at(0.062))])
    late = communication("ddp", 1, [(MB, at(0.060), at(0.061))])
    (bucket,) = communication_of(ddp(early, late)).buckets
    assert bucket.waits == {0: pytest.approx(0.050), 1: pytest.approx(0.0, abs=1e-9)}
    assert bucket.wait_seconds == pytest.approx(0.050)
    assert bucket.transfer_seconds == pytest.approx(0.002), "until the last rank has it"


def test_one_odd_step_moves_nothing() -> None:
    ends = at(0.020)
    ends[3] += 0.5
    both = [communication("ddp", rank, [(10 * MB, at(0.010), ends)]) for rank in (0, 1)]
    assert communication_of(ddp(*both)).buckets[0].transfer_seconds == pytest.approx(0.010)


def test_exposed_and_overlap_of_two_buckets() -> None:
    # The first travels while the second is computed; from 30 ms on nothing is left to compute.
    buckets = [(4 * MB, at(0.010), at(0.025)), (2 * MB, at(0.030), at(0.040))]
    found = communication_of(ddp(*(communication("ddp", rank, buckets) for rank in (0, 1))))
    assert found.exposed_seconds == pytest.approx(0.010)
    assert found.exposed == {0: pytest.approx(0.010), 1: pytest.approx(0.010)}
    assert found.exposed_share == pytest.approx(0.25), "of the 40 ms of a step in the windows"
    assert found.overlap == pytest.approx(1 - 10 / 30)
    assert found.busbw == pytest.approx(6 * MB / 0.025), "under way for 15 and 10 ms"


def test_buckets_that_queue_are_not_counted_twice() -> None:
    buckets = [(4 * MB, at(0.010), at(0.030)), (4 * MB, at(0.020), at(0.040))]
    found = communication_of(ddp(*(communication("ddp", rank, buckets) for rank in (0, 1))))
    assert [bucket.transfer_seconds for bucket in found.buckets] == [pytest.approx(0.020)] * 2
    assert found.busbw == pytest.approx(8 * MB / 0.030)


def test_the_rank_with_the_least_exposed_time_is_told_apart() -> None:
    early = communication("ddp", 0, [(MB, at(0.010), at(0.065))])
    late = communication("ddp", 1, [(MB, at(0.060), at(0.065))])
    exposed = communication_of(ddp(early, late)).exposed
    assert exposed == {0: pytest.approx(0.055), 1: pytest.approx(0.005)}


def turns(cost: float, noise: float, count: int = 12) -> list[Event]:
    source = random.Random(2)

    def values(seconds: float) -> list[float]:
        return [seconds + source.gauss(0, noise) for _ in range(count)]

    return [communication("ddp", rank, (), values(0.040 + cost), values(0.040)) for rank in (0, 1)]


def test_the_cost_of_synchronising_has_its_interval() -> None:
    found = communication_of(ddp(*turns(0.004, 0.0002)))
    assert found.sync_cost is not None
    assert found.sync_cost.value == pytest.approx(0.004, rel=0.1)
    assert found.sync_cost.contains(0.004)
    assert found.sync_cost.n == 12
    assert found.sync_share == pytest.approx(1 / 11, rel=0.1)
    assert not found.below_noise


def test_a_cost_whose_interval_contains_zero_is_below_the_noise() -> None:
    folded = ddp(*turns(0.0001, 0.004))
    assert communication_of(folded).below_noise
    assert "below the noise" in markdown(analyse(folded))


def test_the_slowest_rank_counts_in_every_turn() -> None:
    said = [
        communication("ddp", 0, (), [0.050] * 5, [0.030] * 5),
        communication("ddp", 1, (), [0.051] * 5, [0.045] * 5),
    ]
    cost = communication_of(ddp(*said)).sync_cost
    assert cost is not None
    assert cost.value == pytest.approx(0.006), "rank 0's 20 ms are waiting for rank 1"


def test_few_turns_have_no_interval_and_a_rank_that_is_missing_no_cost() -> None:
    few = [communication("ddp", rank, (), [0.05] * 4, [0.04] * 4) for rank in (0, 1)]
    cost = communication_of(ddp(*few)).sync_cost
    assert cost is not None
    assert (cost.interval, cost.contains(0.01)) == (None, False)
    assert communication_of(ddp(few[0])).sync_cost is None


LATENCY, PER_BYTE = 50e-6, 1 / 10e9


def linear(sizes: Sequence[int]) -> dict[int, float]:
    return {size: LATENCY + size * PER_BYTE for size in sizes}


SIZES = [1024 * 4**i for i in range(10)]


@pytest.mark.parametrize(
    ("collective", "ranks", "factor"),
    [("all_reduce", 2, 1.0), ("all_reduce", 8, 1.75), ("all_gather", 8, 0.875), ("reduce_scatter", 2, 0.5)],
)
def test_bus_bandwidth_is_that_of_nccl_tests(collective: Collective, ranks: int, factor: float) -> None:
    assert bus_factor(collective, ranks) == factor
    found = curve([bandwidth("ddp", collective, {1024: 1e-4, 10 * MB: 0.005})], ranks)
    assert found is not None
    assert found.best_busbw == pytest.approx(factor * 2e9)
    assert found.latency_seconds == 1e-4


def test_times_between_beyond_and_below_the_measured_sizes() -> None:
    found = curve([bandwidth("ddp", "all_reduce", linear(SIZES))], 2)
    assert found is not None
    for size in (1024, 3_000_000, 100_000_000):
        assert found.seconds(size) == pytest.approx(LATENCY + size * PER_BYTE, rel=0.1)
    assert found.seconds(10) == found.seconds(1024), "latency is what is left of it"
    assert found.seconds(4 * SIZES[-1]) == pytest.approx(4 * found.seconds(SIZES[-1]))
    assert curve([bandwidth("ddp", "all_reduce", {0: 1.0, 1024: 0.0})], 2) is None


def test_utilisation_and_prediction_by_the_curve_of_the_same_ranks() -> None:
    buckets = [(SIZES[-1], at(0.010), at(0.150)), (SIZES[-2], at(0.160), at(0.180))]
    said = [communication("ddp", rank, buckets) for rank in (0, 1)]
    found = communication_of(ddp(*said, bandwidth("ddp", "all_reduce", linear(SIZES))))
    alone = [LATENCY + size * PER_BYTE for size in (SIZES[-1], SIZES[-2])]
    assert found.predicted_seconds == pytest.approx(sum(alone))
    assert [bucket.utilisation for bucket in found.buckets] == [
        pytest.approx(alone[0] / 0.140),
        pytest.approx(alone[1] / 0.020),
    ]
    assert found.buckets[0].reachable == pytest.approx(SIZES[-1] / alone[0])
    assert found.utilisation == pytest.approx(sum(alone) / 0.160)


def test_ranks_that_do_not_speak_of_the_same_buckets_are_not_compared() -> None:
    one = communication("ddp", 0, [(MB, at(0.01), at(0.02))])
    two = communication("ddp", 1, [(MB, at(0.01), at(0.02))] * 2)
    found = communication_of(ddp(one, two))
    assert (found.buckets, found.exposed, found.overlap, found.busbw) == ((), {}, None, None)
    assert (found.bytes_per_step, found.bytes_provenance) == (4000, "derived"), "4 bytes a parameter"


def test_the_traffic_of_each_mode_by_its_own_model() -> None:
    parameters, batch = 1000, 4 * 128
    images, outputs = batch * 3 * 32 * 32 * 4, batch * 10 * 4
    specs = [spec(mode, mode, 4) for mode in ("ddp", "fsdp", "dp")]  # type: ignore[arg-type]
    folded = session(
        opening(*specs),
        measured("ddp", [[0.2] * 5] * 4),
        measured("fsdp", [[0.2] * 5] * 4),
        measured("dp", [[0.2] * 5]),
    )
    ddp_, fsdp, dp = (communication_of(folded, run) for run in ("ddp", "fsdp", "dp"))
    assert [(t.operation, t.times, t.link_bytes) for t in ddp_.traffic] == [("all-reduce", 1, 6000)]
    assert [(t.operation, t.times, t.link_bytes) for t in fsdp.traffic] == [
        ("all-gather", 2, 6000),
        ("reduce-scatter", 1, 3000),
    ]
    assert [(t.operation, t.link_bytes) for t in dp.traffic] == [
        ("scatter", images * 3 // 4),
        ("replicate", 3 * 4 * parameters),
        ("gather", outputs * 3 // 4),
        ("reduce", 3 * 4 * parameters),
    ], "no ring is involved"
    assert (dp.busbw, dp.predicted_seconds, dp.bytes_per_step) == (None, None, None)


@pytest.mark.parametrize(("compression", "sent"), [("none", 6000), ("fp16", 3000), ("bf16", 3000)])
def test_compressed_gradients_are_half_the_traffic(compression: Compression, sent: int) -> None:
    run = replace(spec("ddp", "ddp", 4), workloads=(Workload(compress_gradients=compression),))
    found = communication_of(session(opening(run), measured("ddp", [[0.2] * 5] * 4)))
    assert [t.link_bytes for t in found.traffic] == [sent], "3/4 of 1,000 values, sent and received"
    assert found.bytes_per_step == sent * 2 // 3


def test_accumulation_exchanges_gradients_once_for_several_batches() -> None:
    """Samples of a step are twice as many; dp exchanges all that it does for each batch."""
    found = {}
    for mode, ranks in (("ddp", 4), ("dp", 1)):
        for accumulate in (1, 2):
            run = spec("run", mode, 4, workloads=[Workload(accumulate=accumulate)])  # type: ignore[arg-type]
            folded = session(opening(run), measured("run", [[0.2] * 5] * ranks))
            sent = communication_of(folded, "run").traffic
            found[mode, accumulate] = {t.operation: (t.times, t.link_bytes) for t in sent}
            assert run.global_batch == 4 * 128 * accumulate
    assert found["ddp", 1] == found["ddp", 2] == {"all-reduce": (1, 6000)}
    assert found["dp", 2] == {operation: (2, 2 * size) for operation, (_, size) in found["dp", 1].items()}


def test_the_traffic_has_the_buffers_and_every_piece() -> None:
    specs = [spec(mode, mode, 4) for mode in ("ddp", "fsdp", "dp")]  # type: ignore[arg-type]
    folded = session(
        opening(*specs),
        *(measured(run, [[0.2] * 5] * (1 if run == "dp" else 4)) for run in ("ddp", "fsdp", "dp")),
        [
            built("ddp", 0, 1000),
            built("dp", 0, 1000),
            built("fsdp", 0, 1000, [(1000, 2), (2600, 2), (400, 1)]),
        ],
    )
    sent = {
        run: [
            (t.operation, t.what, t.times, t.bytes, t.link_bytes)
            for t in communication_of(folded, run).traffic
        ]
        for run in ("ddp", "fsdp", "dp")
    }
    assert sent["ddp"][0] == ("broadcast", "buffers", 1, 1000, 1000)
    assert ("replicate", "buffers", 1, 1000, 3000) in sent["dp"]
    assert sent["fsdp"] == [
        ("all-gather", "parameters", 2, 3600, 5400),
        ("all-gather", "parameters", 1, 400, 300),
        ("reduce-scatter", "gradients", 1, 4000, 3000),
    ]
    text = markdown(analyse(folded))
    assert "all-gather of 0.004 MB parameters in 2 pieces, 2 times; all-gather of" in text
    assert (
        "traffic of a step, derived: broadcast of 0.001 MB buffers; all-reduce of 0.004 MB gradients" in text
    )


def test_fsdp_is_predicted_piece_by_piece() -> None:
    folded = session(
        opening(spec("fsdp", "fsdp", 2)),
        measured("fsdp", [[0.2] * 5] * 2),
        [built("fsdp", 0, 0, [(SIZES[2], 2), (SIZES[4], 2), (SIZES[1], 1)])],
        [bandwidth("fsdp", name, linear(SIZES)) for name in ("all_gather", "reduce_scatter")],  # type: ignore[arg-type]
    )
    travels = [SIZES[2]] * 3 + [SIZES[4]] * 3 + [SIZES[1]] * 2
    assert communication_of(folded, "fsdp").predicted_seconds == pytest.approx(
        sum(LATENCY + size * PER_BYTE for size in travels)
    )


@pytest.mark.parametrize(("precision", "width"), [("fp32", 4), ("bf16", 2)])
def test_data_parallel_gathers_the_logits_of_every_token(precision: str, width: int) -> None:
    workload = Workload(training="tokens", model="gpt-tiny", batch=8, sequence_length=16, precision=precision)  # type: ignore[arg-type]
    run = replace(spec("dp", "dp", 4), workloads=(workload,))
    found = communication_of(session(opening(run), measured("dp", [[0.2] * 5])), "dp")
    tokens = run.global_batch * 16
    assert [(t.operation, t.what, t.bytes) for t in found.traffic if t.what in ("tokens", "outputs")] == [
        ("scatter", "tokens", tokens * 8),
        ("gather", "outputs", tokens * 256 * width),
    ]


def test_a_curve_of_repeats_is_their_median_at_each_size() -> None:
    repeats = [
        {1024: 1e-4, 4096: 2e-4, 16384: 9e-4},
        {1024: 3e-4, 4096: 2e-4},
        {1024: 2e-4, 4096: 8e-4},
    ]
    specs = [spec(f"ddp{n}", "ddp", 2, repeat_of=("ddp", n)) for n in (1, 2, 3)]
    folded = session(
        opening(*specs),
        *(measured(each.id, [[0.2] * 5] * 2) for each in specs),
        [bandwidth(each.id, "all_reduce", times) for each, times in zip(specs, repeats, strict=True)],
    )
    found = analyse(folded).results[0].communication
    assert found is not None
    assert {point.bytes: point.seconds for point in found.curves["all_reduce"].points} == {
        1024: 2e-4,
        4096: 2e-4,
        16384: 9e-4,
    }


def test_broadcasting_buffers_is_exposed_and_told_apart() -> None:
    def rank(number: int, early: float) -> Event:
        return communication("ddp", number, [(MB, at(0.010), at(0.030))], buffers=[early] * STEPS)

    folded = ddp(rank(0, 0.001), rank(1, 0.011))
    found = communication_of(folded)
    assert found.exposed == {0: pytest.approx(0.021), 1: pytest.approx(0.031)}
    assert found.broadcasting == {0: pytest.approx(0.001), 1: pytest.approx(0.011)}
    assert found.overlap == pytest.approx(0.0)
    text = markdown(analyse(folded))
    assert "broadcasting buffers takes up to 11.0 ms of the exposed time (rank 1)" in text


def test_what_data_parallel_does_besides_computing() -> None:
    exchange = {
        "scatter": [0.001, 0.003],
        "replicate": [0.01] * 2,
        "gather": [0.02] * 2,
        "reduce": [0.018] * 2,
    }
    folded = session(
        opening(spec("dp", "dp", 2)),
        measured("dp", [[0.2] * 5]),
        [breakdown("dp", 0, exchange, forward=[0.06, 0.06], backward=[0.04, 0.04])],  # type: ignore[arg-type]
    )
    found = communication_of(folded, "dp")
    assert found.exchange == {
        "scatter": pytest.approx(0.002),
        "replicate": pytest.approx(0.01),
        "gather": pytest.approx(0.02),
        "reduce": pytest.approx(0.018),
    }
    assert found.exchange_share == pytest.approx(0.5)
    text = markdown(analyse(folded))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["dp x2", "2.00", "10.0", "20.0", "18.0", "50.0", "50.0%"] in rows
    assert "- **DataParallel's own operations** (measured): " in text


def test_fsdp_is_predicted_by_its_own_collectives() -> None:
    folded = session(
        opening(spec("fsdp", "fsdp", 2)),
        measured("fsdp", [[0.2] * 5] * 2),
        [bandwidth("fsdp", "all_gather", {4000: 0.003}), bandwidth("fsdp", "reduce_scatter", {4000: 0.004})],
    )
    found = communication_of(folded, "fsdp")
    assert found.predicted_seconds == pytest.approx(0.010)
    assert set(found.curves) == {"all_gather", "reduce_scatter"}


GPUS = tuple(Device(kind="cuda", index=i, name="NVIDIA H200") for i in range(4))


def on_gpus(*links: Link, capability: tuple[int, int] | None = (9, 0)) -> Communication:
    host = replace(
        HOST,
        gpus=tuple(
            Gpu(index=i, uuid=str(i), name="NVIDIA H200", compute_capability=capability) for i in range(4)
        ),
        links=links,
    )
    run = spec("ddp", "ddp", 2, on=GPUS[1:])
    return communication_of(session(opening(run, host=host), measured("ddp", [[0.2] * 5] * 2)))


def test_a_links_rate_only_where_the_machine_named_it() -> None:
    assert (on_gpus().link, on_gpus().link_bandwidth) == (None, None)
    nvlink = on_gpus(Link(1, 2, "NV18"), Link(0, 1, "SYS"))
    assert (nvlink.link, nvlink.link_bandwidth) == ("NV18", 450e9), "the link between the run's own GPUs"
    assert on_gpus(Link(1, 2, "NV18"), capability=None).link_bandwidth is None
    pcie = on_gpus(Link(1, 2, "PHB"))
    assert (pcie.link, pcie.link_bandwidth) == ("PHB", None), "which generation and width nobody said"


def test_the_worst_link_of_all_pairs_counts() -> None:
    host = replace(HOST, links=(Link(0, 1, "NV4"), Link(0, 2, "SYS"), Link(1, 2, "PIX")))
    run = spec("ddp", "ddp", 3, on=GPUS)
    folded = session(opening(run, host=host), measured("ddp", [[0.2] * 5] * 3))
    assert communication_of(folded).link == "SYS"


def test_the_wrapper_is_ddp_on_one_device_against_single() -> None:
    folded = session(
        opening(spec("single", "single"), spec("one", "ddp", 1), spec("two", "ddp", 2)),
        measured("single", [[1.0, 1.01, 0.99, 1.0, 1.0]]),
        measured("one", [[1.25, 1.24, 1.26, 1.25, 1.25]]),
        measured("two", [[1.3] * 5] * 2),
    )
    for run in ("one", "two"):
        wrapper = communication_of(folded, run).wrapper
        assert wrapper is not None
        assert wrapper.value == pytest.approx(0.8)
        assert wrapper.contains(0.8)
        assert wrapper.interval is not None
        assert wrapper.interval[1] - wrapper.interval[0] < 0.1
    assert "DDP on one device runs at 0.80x" in markdown(analyse(folded))
    assert communication_of(folded, "one").bytes_per_step is None, "there is nobody to send it to"


def test_no_wrapper_of_another_workload_or_batch() -> None:
    large = Workload(name="cnn", batch=512)
    folded = session(
        opening(spec("single", "single", workloads=[large]), spec("one", "ddp", 1), spec("two", "ddp", 2)),
        measured("single", [[1.0] * 5]),
        measured("one", [[1.0] * 5]),
        measured("two", [[1.0] * 5] * 2),
    )
    assert communication_of(folded, "two").wrapper is None
    assert result_of(folded, "one").communication is None


@pytest.mark.parametrize(("mode", "devices"), [("single", 1), ("concurrent", 2)])
def test_who_does_not_synchronise_has_nothing_to_say(mode: str, devices: int) -> None:
    run = spec("run", mode, devices)  # type: ignore[arg-type]
    folded = session(opening(run), measured("run", [[1.0] * 5] * devices))
    assert result_of(folded, "run").communication is None
    assert "## Communication" not in markdown(analyse(folded))


def test_the_report_has_the_buckets_the_curve_and_how_it_was_obtained() -> None:
    said = [communication("ddp", rank, [(25 * MB, at(0.010), at(0.035))]) for rank in (0, 1)]
    text = markdown(
        analyse(
            ddp(
                *said,
                bandwidth("ddp", "all_reduce", {1024: 1e-4, 25 * MB: 0.020}),
                breakdown("ddp", 0, forward=[0.04]),
            )
        )
    )
    assert "## Communication" in text
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "| ddp x2" in line
    ]
    assert ["ddp x2", "1", "25.0", "0", "25.0", "1.00", "1.00", "1.25", "80.0%"] in rows
    assert "1.25 GB/s " + "#" * 30 in text
    assert "all-reduce of 0.004 MB gradients; 0.004 MB through the busiest device" in text
    assert "- **predicted sync** (predicted): " in text
