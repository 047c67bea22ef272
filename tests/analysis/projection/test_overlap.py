"""Steps put together from buckets, and the noise of many ranks."""

from __future__ import annotations

import random

import pytest
from building.ring_sessions import BANDWIDTH, LATENCY, SIZES, STEPS, ring, ring_session, step_seconds
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.projection.collectives import Layout
from gpubench_tui.engine.analysis.projection.link_rate import LinkRate
from gpubench_tui.engine.analysis.projection.noise import StepPool, expected_largest
from gpubench_tui.engine.analysis.projection.overlap import BucketModel, chained
from gpubench_tui.engine.record.session import Session


def model_of(session: Session) -> BucketModel:
    analysis = analyse(session)
    cost = analysis.results[-1].communication
    assert cost is not None
    found = BucketModel.of(analysis.configurations[-1].usable, cost.curves.get("all_reduce"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("ready", "transfers", "end"),
    [
        ([1.0, 5.0], [2.0, 1.0], 6.0),  # the first is through before the second is ready
        ([1.0, 2.0], [3.0, 1.0], 5.0),  # the second waits for the first
        ([3.0, 2.0], [1.0, 1.0], 5.0),
        ([4.0], [0.0], 4.0),
    ],
)
def test_buckets_travel_one_after_the_other(ready: list[float], transfers: list[float], end: float) -> None:
    assert chained(ready, transfers) == end


def test_the_largest_of_normal_values_is_that_of_the_tables() -> None:
    known = {1: 0.0, 2: 0.5642, 4: 1.0294, 8: 1.4236, 16: 1.7660, 100: 2.5076, 1000: 3.2414}
    for count, mean in known.items():  # Harter 1961
        assert expected_largest(count) == pytest.approx(mean, abs=2e-4)


def test_a_run_gives_its_buckets_links_and_steps() -> None:
    model = model_of(ring_session((1, 2)))
    assert (model.devices, model.sizes, len(model.pool.steps)) == (2, SIZES, 2 * STEPS)
    assert model.rate.latency == pytest.approx(LATENCY) and model.rate.bandwidth == pytest.approx(BANDWIDTH)
    assert model.slowdown == pytest.approx(1.0, abs=0.01)
    assert model.pool.quiet() == pytest.approx((0.010, 0.015))


@pytest.mark.parametrize("devices", [2, 4, 8])
def test_a_step_without_noise_is_that_counted_by_hand(devices: int) -> None:
    """At 2 devices 19.1 ms, at 8: 17.7 ms until the first bucket is through, and 7.7 ms for the second."""
    step = model_of(ring_session((1, 2))).step(Layout(devices, 1))
    assert step.mean == pytest.approx(step_seconds(devices), rel=0.01)
    assert step.quiet == pytest.approx(step.mean)
    assert step_seconds(8) == pytest.approx(0.0254)


def test_between_machines_the_rate_that_was_given_counts() -> None:
    model = model_of(ring_session((1, 2)))
    slow = LinkRate(0.0, 0.1e9)
    # one ring through all: 2 * 3/4 of 4 MB at 0.1 GB/s and 2 * 2 messages within; rings in rings:
    # 4 MB at 1 GB/s and 2 messages, and 4 MB at 0.1 GB/s
    a_bucket = min(0.060 + 4 * LATENCY, ring(4_000_000, 2) + 0.040)
    assert model.step(Layout(2, 2), slow).mean == pytest.approx(0.010 + 2 * a_bucket, rel=0.01)
    contended = model._replace(slowdown=2.0).transfers(Layout(2, 2), slow)
    assert contended == pytest.approx([ring(4_000_000, 2) + a_bucket] * 2, rel=0.01)
    fast = LinkRate(0.0, 1e15)
    assert model.step(Layout(2, 2), fast).mean >= model.step(Layout(2, 1)).mean, "a machine takes its time"


def test_more_ranks_wait_longer_for_the_slowest() -> None:
    """One step in twenty of each rank is 10 ms late: the mean of N ranks waits 10 ms times 1 - 0.95^N."""
    late = {rank: (0.010, *[0.0] * 19) for rank in range(2)}
    model = model_of(ring_session((1, 2), late=late))
    for devices in (2, 8, 32):
        step = model.step(Layout(devices, 1), draws=4000)
        expected = 0.010 * (1 - 0.95**devices)
        assert step.mean - step.quiet == pytest.approx(expected, abs=0.0007)


def test_a_rank_that_is_always_slow_stays_one() -> None:
    model = model_of(ring_session((1, 2), late={1: (0.010,)}))
    assert model.step(Layout(64, 1)).mean == pytest.approx(0.010 + step_seconds(64), rel=0.02)


def test_so_many_ranks_as_to_meet_every_step_always_wait_for_the_slowest() -> None:
    pool = StepPool((((1.0,),) * 19 + ((2.0,),),))
    source = random.Random(0)
    assert {pool.slowest_of(100_000, source) for _ in range(100)} == {(2.0,)}
    assert {pool.slowest_of(2, source) for _ in range(100)} == {(1.0,), (2.0,)}


def test_broadcasting_buffers_comes_before_each_step() -> None:
    plain, buffered = model_of(ring_session((1, 2))), model_of(ring_session((1, 2), broadcasting=0.003))
    assert buffered.pool.quiet() == pytest.approx(plain.pool.quiet())
    for devices in (2, 8):
        longer = buffered.step(Layout(devices, 1))
        assert longer.mean - plain.step(Layout(devices, 1)).mean == pytest.approx(0.003)
        assert longer.quiet == pytest.approx(longer.mean)


def test_beyond_the_measured_steps_noise_is_taken_to_be_normal() -> None:
    source = random.Random(1)
    pool = StepPool(tuple(tuple((source.gauss(1.0, 0.1),) for _ in range(20)) for _ in range(2)))
    assert pool.beyond(40) == 0.0
    spread = 0.1 * (expected_largest(1024) - expected_largest(40))
    assert pool.beyond(1024) == pytest.approx(spread, rel=0.25)
    assert StepPool((((1.0,),),)).beyond(1024) == 0.0, "one step has no noise"


def test_ranks_count_alike_whatever_number_of_steps_they_report() -> None:
    rows = {0: [(1.0,)] * 30, 1: [(2.0,)] * 3}
    pool = StepPool.of(rows)
    assert pool is not None and len(pool.steps) == 6
    assert StepPool.of({0: [(1.0,)], 1: []}) is None
    assert StepPool.of({}) is None


def test_equal_questions_have_equal_answers() -> None:
    model = model_of(ring_session((1, 2), late={1: (0.0, 0.004, 0.001)}))
    assert model.step(Layout(64, 1)) == model.step(Layout(64, 1))
    assert model.resampled(3).step(Layout(64, 1)) != model.resampled(4).step(Layout(64, 1))
