"""The search for the largest batch: doubling, halving the step, and the pairs that follow it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from building.tunes import gone_on, opened, out_of_memory
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.tuning import tuning_text
from gpubench_tui.engine.analysis.tuning.batch import BatchSearch, BatchTried, batch_search
from gpubench_tui.engine.analysis.tuning.tuning import Tuning, tuning_of
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Cost, Remedy
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session import fold

from .conftest import Propose

Curve = Callable[[int], float]


def proportional(batch: int) -> float:
    return float(batch)


def saturating(batch: int) -> float:
    return 1000 * batch / (batch + 64)


def searched(
    begin: int, rate: Curve, limit: float, *, known: dict[int, str] | None = None, multiple: int = 1
) -> BatchSearch:
    """The search on a machine on which a batch above the limit does not fit."""
    first = BatchTried(batch=begin, fits=True, throughput=rate(begin))
    tried: list[BatchTried] = []
    for _ in range(40):
        search = batch_search(1, first, tried, known_not_to_fit=known or {}, multiple=multiple)
        if search.next is None:
            return search
        fits = search.next <= limit
        assert search.next not in (known or {})
        tried.append(
            BatchTried(
                batch=search.next,
                fits=fits,
                throughput=rate(search.next) if fits else None,
                why="" if fits else "out of memory",
            )
        )
    raise AssertionError("the search does not end")


@pytest.mark.parametrize("limit", [64, 65, 100, 128, 200, 255, 256, 1000, 5000])
def test_the_largest_batch_that_fits_is_found_to_an_eighth(limit: int) -> None:
    search = searched(64, proportional, limit)
    assert search.largest <= limit < search.largest * 1.25
    assert search.fastest == search.largest
    assert "does not fit: out of memory" in search.ended
    assert len(search.tried) <= math.log2(max(limit, 64) / 64) + 5


def test_it_doubles_then_halves_its_step() -> None:
    assert [each.batch for each in searched(64, proportional, 460).tried] == [128, 256, 512, 384, 448]
    assert [each.batch for each in searched(64, proportional, 300).tried] == [128, 256, 512, 384, 320, 288]
    assert [each.batch for each in searched(1, proportional, 3).tried] == [2, 4, 3]


def test_it_ends_where_throughput_no_longer_grows() -> None:
    search = searched(64, saturating, math.inf)
    assert search.ended == "throughput no longer grows up to batch 16,384"
    assert (search.largest, search.fastest) == (16384, 16384)
    falling = searched(64, lambda batch: 1000.0 if batch <= 128 else 500.0, math.inf)
    assert (falling.ended, falling.largest, falling.fastest) == (
        "throughput no longer grows up to batch 256",
        256,
        64,
    )


def test_one_slow_run_does_not_end_it() -> None:
    search = searched(64, lambda batch: 40.0 if batch == 128 else float(batch), 5000)
    assert search.largest == search.fastest > 4000


def test_what_is_known_not_to_fit_is_not_measured() -> None:
    search = searched(64, proportional, 1000, known={256: "the training set has 200 images"})
    assert [each.batch for each in search.tried] == [128, 256, 192, 224]
    assert search.tried[1].why == "the training set has 200 images" and search.largest == 224


def test_a_batch_of_all_devices_is_divided_equally() -> None:
    search = searched(12, proportional, 100, multiple=3)
    assert all(each.batch % 3 == 0 for each in search.tried) and 81 <= search.largest <= 100


def machine(limit: int, rate: Curve = saturating) -> Callable[[RunSpec], float]:
    def run_at(run: RunSpec) -> float:
        if run.workload.batch > limit:
            raise out_of_memory(run.workload.batch)
        return rate(run.workload.batch) * (1 + 0.0001 * run.repeat)

    return run_at


def tuned(limit: int, *, allow: tuple[Cost, ...] = ("recipe",), rate: Curve = saturating) -> Tuning:
    tuning = tuning_of(fold(gone_on(opened(allow=allow), machine(limit, rate))))
    assert tuning is not None
    return tuning


def test_a_tune_finds_the_batch_up_to_the_limit_of_memory_and_proves_it_in_pairs(propose: Propose) -> None:
    propose([])
    tuning = tuned(460)
    assert tuning.batch is not None and tuning.batch.largest == 448
    assert [(each.batch, each.fits) for each in tuning.batch.tried][-3:] == [
        (512, False),
        (384, True),
        (448, True),
    ]
    (attempt,) = tuning.attempts
    assert (attempt.remedy.name, attempt.state, attempt.remedy.costs) == ("batch 448", "kept", ("recipe",))
    assert tuning.kept == {"batch": 448}
    assert tuning.total is not None
    assert tuning.total.value == pytest.approx(saturating(448) / saturating(64), rel=0.01)


def test_a_failed_batch_leaves_the_tune_whole(propose: Propose) -> None:
    propose([])
    session = fold(gone_on(opened(allow=["recipe"]), machine(64)))
    tuning = tuning_of(session)
    assert (
        tuning is not None
        and analyse(session).headline == "No change helped: no larger batch is faster, up to 64"
    )
    assert any("batch 128: does not fit: CUDA ran out" in line for line in tuning_text(session, 100))
    assert tuning.batch is not None and tuning.batch.largest < 80 and tuning.kept == {}
    assert tuning.stage == "ended" and tuning.trouble == ""


def test_the_training_set_bounds_it(propose: Propose) -> None:
    propose([])
    tuning = tuned(10**9, rate=proportional)
    assert tuning.batch is not None and 4096 <= tuning.batch.largest <= 5000
    assert any("the training set has 5,000" in each.why for each in tuning.batch.tried)
    small = opened(allow=["recipe"], workload=Workload(name="cnn", model="cnn", batch=64, images=64))
    session = fold(gone_on(small, machine(10**9)))
    assert len(session.runs) == 1, "no larger batch is possible"


@pytest.mark.parametrize(
    ("workload", "most"),
    [
        (Workload(name="cnn", data="folder", data_dir="/gone", batch=64, images=1000), 1000),
        (
            Workload(
                name="gpt", training="tokens", model="gpt-tiny", sequence_length=100, batch=4, tokens=5000
            ),
            50,
        ),
    ],
)
def test_what_was_recorded_of_the_training_set_decides_also_where_its_files_are_gone(
    propose: Propose, workload: Workload, most: int
) -> None:
    propose([])
    session = fold(gone_on(opened(allow=["recipe"], workload=workload), machine(10**9, proportional)))
    tuning = tuning_of(session)
    assert tuning is not None and tuning.batch is not None
    assert 0.75 * most < tuning.batch.largest <= most
    assert all(run.spec.workload.batch <= most for run in session.runs.values())


def test_without_leave_no_other_batch_is_tried(propose: Propose) -> None:
    larger = Remedy(name="larger batch", changes={"batch": 128}, costs=("recipe",), ceiling=1.5)
    propose([larger])
    tuning = tuned(460, allow=())
    assert tuning.batch is None and [each.state for each in tuning.tried] == ["not tried"]


def test_a_diagnosis_that_proposes_a_larger_batch_begins_the_search(propose: Propose) -> None:
    larger = Remedy(name="larger batch", changes={"batch": 128}, costs=("recipe", "memory"), ceiling=1.5)
    later = Remedy(name="compile", changes={"compile": True}, ceiling=1.2)
    propose([later, larger])

    def rate(batch: int) -> float:
        propose([later])
        return saturating(batch)

    propose([later, larger])
    session = gone_on(opened(allow=["recipe"]), machine(460), runs=1)
    session = gone_on(session, machine(460, rate))
    tuning = tuning_of(fold(session))
    assert tuning is not None
    assert tuning.batch is not None and tuning.batch.number == 1
    assert [each.remedy.name for each in tuning.attempts] == ["batch 448", "compile"]
    assert all(each.state != "not tried" for each in tuning.tried)


def test_a_batch_that_is_smaller_is_a_remedy_like_any_other(propose: Propose) -> None:
    smaller = Remedy(
        name="half the batch", changes={"batch": 32, "accumulate": 2}, costs=("recipe",), ceiling=1.2
    )
    propose([smaller])
    tuning = tuned(80, rate=lambda batch: 1500.0 if batch == 32 else 1000.0)
    assert tuning.kept_attempts[0].remedy == smaller


def test_a_search_that_time_ends_leaves_time_to_try_the_fastest(propose: Propose) -> None:
    """A run takes 15 s: the start, two batches, four pairs and a confirmation of four take 285 s."""
    propose([])
    session = fold(gone_on(opened(allow=["recipe"], minutes=5.0), machine(10**9)))
    tuning = tuning_of(session)
    assert tuning is not None and tuning.batch is not None
    assert [each.batch for each in tuning.batch.tried] == [128, 256]
    assert tuning.kept == {"batch": 256} and tuning.confirmed is True
    assert tuning.ended == "the 5 minutes leave no time for another change" and session.elapsed == 285
