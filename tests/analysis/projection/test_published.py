"""Accuracy on published tables: the program's own formula, from few GPUs, against the figures on more."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpubench_tui.engine.analysis.projection.check import (
    MOST_MISSED,
    TABLES_DOUBLINGS,
    TABLES_ERROR,
    ModelCheck,
    model_error,
)
from gpubench_tui.engine.analysis.projection.growth import ProportionalModel, TimedStep

from .published_scaling import (
    ACCUMULATIONS,
    FROM_ONE_MACHINE,
    LUMI_UNEVEN,
    MAHTI_UNEVEN,
    SERIES,
    PublishedAccumulation,
    PublishedSeries,
)

METHOD_PAGE = Path(__file__).parents[3] / "docs" / "method.md"


def timed(table: PublishedSeries | PublishedAccumulation) -> dict[int, TimedStep]:
    """The steps of a table, by the number of GPUs."""
    found = {}
    for gpus, rate in table.rates.items():
        if isinstance(table, PublishedSeries):
            found[gpus] = TimedStep(gpus, 1, gpus * table.batch / rate)
        else:
            passes, rest = divmod(table.global_batch, gpus * table.batch)
            assert passes and not rest
            found[gpus] = TimedStep(gpus, passes, table.global_batch / rate)
    return found


def missed(first: TimedStep, largest: TimedStep, target: TimedStep) -> float:
    """The error of the throughput projected to a measured step."""
    model = ProportionalModel.through(first, largest)
    return target.seconds / model.step(target.devices, target.passes) - 1


def errors_beyond() -> Iterator[tuple[int, int, float]]:
    """From one GPU and the fewest above: these, the GPUs projected to, and the error."""
    for table in SERIES:
        steps = timed(table)
        _, few, *more = sorted(steps)
        for gpus in more:
            yield few, gpus, missed(steps[1], steps[few], steps[gpus])


def errors_with_a_fixed_batch(between: bool) -> Iterator[float]:
    """From the fewest and the second most GPUs: to the most, or to those between."""
    for table in ACCUMULATIONS:
        steps = timed(table)
        first, *others, second, most = sorted(steps)
        for gpus in others if between else [most]:
            yield missed(steps[first], steps[second], steps[gpus])


def test_the_tables_are_all_there() -> None:
    found = list(errors_beyond())
    assert (len(SERIES), len(found)) == (24, 41)
    assert max(gpus / few for few, gpus, _ in found) == 2**TABLES_DOUBLINGS


def test_no_published_point_is_missed_by_more_than_a_tenth_and_half_by_no_more_than_a_fortieth() -> None:
    errors = [abs(error) for _, _, error in errors_beyond()]
    errors += map(abs, errors_with_a_fixed_batch(between=False))
    errors += map(abs, errors_with_a_fixed_batch(between=True))
    assert statistics.median(errors) <= 0.025
    assert max(errors) <= MOST_MISSED


def test_the_model_gains_over_an_efficiency_that_stays() -> None:
    """A formula that only repeats the efficiency of few GPUs must not pass for this one."""
    stays = []
    for table in SERIES:
        steps = timed(table)
        _, few, *more = sorted(steps)
        stays += [abs(steps[gpus].seconds / steps[few].seconds - 1) for gpus in more]
    errors = sorted(abs(error) for _, _, error in errors_beyond())
    assert max(stays) > MOST_MISSED > max(errors)
    assert statistics.quantiles(errors, n=10)[-1] < 0.85 * statistics.quantiles(stays, n=10)[-1]


def test_intervals_hold_what_was_published() -> None:
    for few, gpus, error in errors_beyond():
        assert abs(error) <= model_error(None, few, gpus)
    assert max(abs(error) for *_, error in errors_beyond()) > 0.98 * TABLES_ERROR, "wider than need be"


def test_intervals_grow_with_the_distance_and_with_the_error_of_the_check() -> None:
    near, far = model_error(None, 8, 16), model_error(None, 8, 8 * 1024)
    assert (near, far) == (TABLES_ERROR, pytest.approx(TABLES_ERROR * 10 / TABLES_DOUBLINGS))
    check = ModelCheck(devices=8, held_out=True, basis=(1, 4), projected=109, measured=100, error=0.09)
    assert model_error(check, 8, 16) == pytest.approx(0.09)
    assert model_error(check, 8, 64) == pytest.approx(0.27), "three doublings, where the check spans one"


@pytest.mark.parametrize("table", [LUMI_UNEVEN, MAHTI_UNEVEN], ids=lambda table: table.what)
def test_a_pair_on_a_better_link_than_the_rest_is_noticed_where_the_rest_was_measured(
    table: PublishedAccumulation,
) -> None:
    steps = timed(table)
    one, pair, machine, most = sorted(steps)
    assert abs(missed(steps[one], steps[pair], steps[machine])) > MOST_MISSED, "the check refuses it"
    assert abs(missed(steps[one], steps[pair], steps[most])) > 0.25, "and rightly"
    assert abs(missed(steps[one], steps[machine], steps[most])) < 0.05, "calibrated on the most GPUs it holds"


@pytest.mark.parametrize("table", FROM_ONE_MACHINE, ids=lambda table: table.what)
def test_one_machine_does_not_tell_what_leaving_it_costs(table: PublishedAccumulation) -> None:
    """Hence the rule that links that were not measured are never crossed."""
    steps = timed(table)
    few, more, most = sorted(steps)
    assert abs(missed(steps[few], steps[more], steps[most])) > 0.25


def test_the_documents_give_these_figures() -> None:
    text = " ".join(METHOD_PAGE.read_text().split())
    errors = sorted(abs(error) for *_, error in errors_beyond())
    fixed = sorted(abs(error) for error in errors_with_a_fixed_batch(between=False))
    uneven = [timed(table) for table in (LUMI_UNEVEN, MAHTI_UNEVEN)]
    pairs = [abs(missed(steps[1], steps[2], steps[max(steps)])) for steps in uneven]
    said = (
        f"misses {len(errors)} published throughputs of {len(SERIES)} trainings",
        f"by {statistics.median(errors):.1%} in the median and {max(errors):.1%} at most",
        f"by {fixed[0]:.1%} to {fixed[-1]:.1%}",
        f"({pairs[0]:.0%} and {pairs[1]:.0%} off when calibrated on the pair)",
    )
    assert [each for each in said if each not in text] == []
    assert re.search(rf"This last is {TABLES_ERROR:.1%}", text)
