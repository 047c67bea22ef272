"""Projections of whole sessions: what is projected, how certain it is, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from building import recorded
from building.ring_sessions import BATCH, gpu_host, ring_session, step_seconds
from building.sessions import bandwidth, built, measured, opening, session, spec
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.projection.link_rate import LinkRate
from gpubench_tui.engine.analysis.projection.projection import Projection, projections
from gpubench_tui.engine.plan.remedy import Trial
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session import Session
from msgspec.structs import replace

LINK = LinkRate(latency=0.0, bandwidth=1e9)
EIGHT = gpu_host(8)


def projected(
    found: Session,
    counts: Iterable[int] | None,
    link: LinkRate | None = None,
    global_batch: int | None = None,
) -> Projection:
    (projection,) = projections(analyse(found).inquiry, counts, link, global_batch)
    return projection


def reason(projection: Projection, devices: int) -> str:
    (why,) = (why for why, counts in projection.refused.items() if devices in counts)
    return why


def test_the_rest_of_a_machine_is_projected_from_the_largest_run() -> None:
    projection = projected(ring_session((1, 2, 4), host=EIGHT), (8,))
    (point,) = projection.points
    assert (projection.kind, projection.devices, projection.method) == ("projected", 4, "buckets")
    assert point.step_seconds == pytest.approx(step_seconds(8), rel=0.01)
    assert point.throughput == pytest.approx(8 * BATCH / step_seconds(8), rel=0.01)
    assert point.throughput_per_device == pytest.approx(point.throughput / 8)
    assert point.efficiency == pytest.approx(step_seconds(1) / step_seconds(8), rel=0.01)
    assert (point.machines, point.global_batch, point.passes) == (1, 8 * BATCH, 1)
    assert point.network_only == pytest.approx(point.throughput), "there is no noise"
    low, high = point.interval
    assert low <= point.throughput / 1.08 and point.throughput < high


def test_an_interval_ends_where_devices_would_be_faster_than_measured() -> None:
    found = ring_session((1, 2))
    upper = analyse(found).results[-1].interval
    assert upper is not None
    (point,) = projected(found, (4,), LinkRate(0.0, 1e15)).points
    assert point.interval[1] == pytest.approx(upper[1] * 2)
    assert point.interval[0] < point.throughput / 1.08


def test_the_largest_run_is_projected_from_the_smaller_ones() -> None:
    check = projected(ring_session((4, 2, 1), host=EIGHT), (8,)).check
    assert check is not None and check.held_out
    assert (check.devices, check.basis) == (4, (2,))
    assert check.measured == pytest.approx(4 * BATCH / step_seconds(4), rel=0.01)
    assert check.error == pytest.approx(0.0, abs=0.01)
    slow = projected(ring_session((1, 2, 4), host=EIGHT, longer={4: 1.06}), (8,)).check
    assert slow is not None and slow.error == pytest.approx(0.06, abs=0.01)


def test_a_run_without_smaller_ones_is_put_together_from_its_parts() -> None:
    check = projected(ring_session((1, 2), host=EIGHT, longer={2: 1.05}), (8,)).check
    assert check is not None and not check.held_out
    assert (check.devices, check.basis) == (2, (2,))
    assert check.error == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("counts", [(1, 2), (1, 2, 4)])
def test_a_method_that_misses_the_largest_run_projects_nothing(counts: tuple[int, ...]) -> None:
    most = counts[-1]
    near = projected(ring_session(counts, host=EIGHT, longer={most: 1.09}), (8,))
    assert [point.devices for point in near.points] == [8]
    far = projected(ring_session(counts, host=EIGHT, longer={most: 1.12}), (8,), LINK)
    assert not far.points and "the method misses the measured run" in reason(far, 8)


def test_the_measured_step_is_kept_whatever_the_model_makes_of_it() -> None:
    """A network as fast as that within adds nothing: calibrated on the largest count, not on the parts."""
    found = ring_session((1, 2), longer={2: 1.08})
    (point,) = projected(found, (4,), LinkRate(0.0, 1e15)).points
    assert point.step_seconds == pytest.approx(1.08 * step_seconds(2), rel=0.001)


def test_links_that_were_not_measured_are_not_crossed_unless_their_rate_is_given() -> None:
    found = ring_session((1, 2, 4))
    without = projected(found, (8, 64))
    assert not without.points
    assert "the measured links connect 4 devices" in reason(without, 64)
    given = projected(found, (8, 64), LINK)
    assert [(point.devices, point.machines) for point in given.points] == [(8, 2), (64, 16)]
    assert given.link == LINK and not given.refused
    slower = projected(found, (64,), LinkRate(0.0, 0.1e9))
    assert slower.points[0].throughput < given.points[1].throughput / 2


def test_gpus_behind_a_slower_link_of_the_machine_are_beyond_those_measured() -> None:
    found = ring_session((1, 2, 4), host=gpu_host(8, island=4))
    assert "the measured links connect 4 devices" in reason(projected(found, (8,)), 8)
    assert projected(found, (8,), LINK).points[0].machines == 2
    alike = ring_session((1, 2, 4), host=EIGHT)
    assert projected(alike, (8,)).points[0].machines == 1


def test_machines_are_like_the_measured_one_and_full() -> None:
    projection = projected(ring_session((1, 2, 4)), (2, 6, 12), LINK)
    assert [point.devices for point in projection.points] == [12]
    assert "4 devices were measured, and only more are projected" in reason(projection, 2)
    assert "do not fill machines of 4" in reason(projection, 6)


def test_usual_counts_are_those_beyond_the_measured_and_the_whole_machine() -> None:
    projection = projected(ring_session((1, 2), host=gpu_host(6)), None, LINK)
    assert [point.devices for point in projection.points] == [6]
    assert sorted(each for counts in projection.refused.values() for each in counts) == [8, 64, 1024]


def test_a_global_batch_is_kept_by_fewer_passes() -> None:
    found = ring_session((1, 2), host=EIGHT, accumulate=8)
    kept = projected(found, (4, 8), global_batch=2 * 8 * BATCH)
    assert [(point.passes, point.global_batch) for point in kept.points] == [(4, 1024), (2, 1024)]
    growing = projected(found, (4, 8))
    a_pass = step_seconds(1) / 8
    for less, more, passes in zip(kept.points, growing.points, (4, 6), strict=True):
        assert more.step_seconds - less.step_seconds == pytest.approx(passes * a_pass, rel=0.01)
        assert less.throughput < more.throughput
    odd = projected(found, (8,), global_batch=1000)
    assert "1,000 is not a multiple of 64 on each device" in reason(odd, 8)
    lonely = projected(ring_session((2,), host=EIGHT, accumulate=8), (8,), global_batch=1024)
    assert "not known without a run on one device" in reason(lonely, 8)


def test_without_buckets_the_cost_of_several_devices_grows_like_a_ring() -> None:
    projection = projected(ring_session((1, 2, 4), host=EIGHT, details=False), (8, 64), LINK)
    alone, cost = step_seconds(1), step_seconds(4) - step_seconds(1)
    (point,) = projection.points
    assert (projection.method, projection.rates, point.network_only) == ("proportional", (), None)
    assert point.step_seconds == pytest.approx(alone + cost * (7 / 4) / (3 / 2), rel=0.001)
    check = projection.check
    assert check is not None and check.basis == (1, 2)
    smaller = alone + (step_seconds(2) - alone) * 3 / 2
    assert check.error == pytest.approx(step_seconds(4) / smaller - 1, abs=0.001)
    assert "the rate of a link says nothing" in reason(projection, 64)


def test_with_neither_buckets_nor_a_run_on_one_device_there_is_no_method() -> None:
    projection = projected(ring_session((2, 4), host=EIGHT, details=False), (8,), LINK)
    assert projection.method is None and projection.check is None
    assert reason(projection, 8) == "neither its buckets nor the same training on one device were measured"


def test_more_devices_that_are_faster_than_one_leave_nothing_to_grow() -> None:
    found = ring_session((1, 2), host=EIGHT, details=False, longer={2: 0.5})
    (point,) = projected(found, (8,)).points
    assert point.step_seconds == pytest.approx(step_seconds(2) / 2)


def fsdp_session(gathers: int) -> Session:
    """Two ranks of fsdp with one piece of 8 MB; gathers and scatters at 1 GB/s without latency."""
    planned = spec("01", "fsdp", 2, workloads=[Workload(name="cnn", batch=BATCH)])
    host = replace(gpu_host(0), gpus=())
    curves = [
        bandwidth("01", collective, {size: size / 2 / 1e9 for size in (1 << 10, 1 << 20, 1 << 26)})
        for collective in ("all_gather", "reduce_scatter")
    ]
    pieces = [built("01", rank, 0, [(8_000_000, gathers)]) for rank in range(2)]
    run = measured("01", [[0.1] * 6] * 2, samples=5 * BATCH)
    return session(opening(planned, host=host), run[:-1], pieces, curves, run[-1:])


def test_fsdp_adds_what_its_collectives_take_longer() -> None:
    """On 4 devices 3/4 of 8 MB travel instead of 1/2: 2 ms more for each of two gathers and a scatter."""
    (point,) = projected(fsdp_session(gathers=2), (4,), LinkRate(0.0, 1e9)).points
    # rings in rings: 1/2 of 8 MB within and 1/2 between; one ring: 3/4 of it
    assert point.step_seconds == pytest.approx(0.020 + 3 * 0.002, rel=0.001)
    (once,) = projected(fsdp_session(gathers=1), (4,), LinkRate(0.0, 1e9)).points
    assert once.step_seconds == pytest.approx(0.020 + 2 * 0.002, rel=0.001)


def test_noise_widens_the_interval_and_is_told_from_the_network() -> None:
    late = {0: (0.0, 0.003, 0.001, 0.0), 1: (0.002, 0.0, 0.0, 0.004)}
    (noisy,) = projected(ring_session((1, 2), host=EIGHT, late=late, longer={2: 1.1}), (8,)).points
    (still,) = projected(ring_session((1, 2), host=EIGHT), (8,)).points
    assert noisy.network_only is not None and noisy.network_only > 1.02 * noisy.throughput
    assert noisy.throughput / noisy.interval[0] > still.throughput / still.interval[0]
    assert not noisy.thin_noise
    far = projected(ring_session((1, 2), late=late, longer={2: 1.1}), (1024,), LinkRate(0.0, 1e15))
    assert far.points[0].thin_noise, "1,024 ranks, and 40 measured steps"


def test_each_batch_is_a_series_of_its_own() -> None:
    runs = [(batch, devices) for batch in (32, 128) for devices in (1, 2)]
    specs = [
        spec(
            f"{batch}-{devices}",
            "ddp" if devices > 1 else "single",
            devices,
            workloads=[Workload(name="cnn", batch=batch)],
        )
        for batch, devices in runs
    ]
    parts = [measured(each.id, [[1.0] * 6] * each.device_count) for each in specs]
    found = projections(analyse(session(opening(*specs), *parts)).inquiry)
    assert [(each.run, each.batch_per_device) for each in found] == [("32-2", 32), ("128-2", 128)]


def test_only_sessions_with_several_devices_that_have_ended_are_projected() -> None:
    assert analyse(ring_session((1, 2))).projections
    assert analyse(ring_session((1,))).projections == ()
    open_ended = ring_session((1, 2))
    open_ended.outcome = None
    assert analyse(open_ended).projections == ()
    trial = ring_session((1, 2))
    trial.plan = replace(trial.plan, trial=Trial(session="a", run="b"))
    assert analyse(trial).projections == ()


def test_figures_that_are_not_credible_are_called_so_again() -> None:
    planned = [spec("01", "single"), spec("02", "ddp", 2, baseline="01")]
    found = session(
        opening(*planned),
        measured("01", [[1.0] * 6]),
        measured("02", [[0.4] * 6] * 2),
    )
    analysis = analyse(found)
    severe = [each.name for each in analysis.diagnoses if each.severity == "severe"]
    assert severe == ["super-linear"]
    assert analysis.projections[0].doubts == ("super-linear",)


def test_what_holds_devices_back_casts_no_doubt_on_their_figures() -> None:
    analysis = analyse(recorded.recorded_session(2))
    assert "input-bound" in [each.name for each in analysis.diagnoses if each.severity == "severe"]
    assert [each.doubts for each in analysis.projections] == [()]
