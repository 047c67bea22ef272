import math
import random

import pytest
from gpubench_tui.engine.statistics import (
    gain_interval,
    geometric_mean,
    inflation,
    mad,
    median,
    median_interval,
    ratio_interval,
    relative_half_width,
    repeats_interval,
    repeats_ratio_interval,
    student,
)


def series(source: random.Random, count: int, correlation: float, *, skewed: bool = False) -> list[float]:
    """AR(1) values about 100, the median of their distribution."""
    value, values = source.gauss(0, 1), []
    for _ in range(count):
        values.append(100 - math.exp(value) + 1 if skewed else 100 + value)
        value = correlation * value + math.sqrt(1 - correlation**2) * source.gauss(0, 1)
    return values


@pytest.mark.slow
@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("count", [5, 8, 20, 60])
def test_the_interval_contains_the_truth_as_often_as_it_says(
    count: int, correlation: float, skewed: bool
) -> None:
    source, inside = random.Random(3), 0
    for _ in range(1000):
        low, high = median_interval(series(source, count, correlation, skewed=skewed))
        inside += low <= 100 <= high
    assert 0.91 <= inside / 1000 <= 0.997


@pytest.mark.slow
@pytest.mark.parametrize(("count", "least"), [(5, 0.85), (10, 0.905), (30, 0.925), (60, 0.935)])
def test_strong_correlation_is_met_as_far_as_so_few_values_show_it(count: int, least: float) -> None:
    source, inside = random.Random(12), 0
    for _ in range(2000):
        low, high = median_interval(series(source, count, 0.7))
        inside += low <= 100 <= high
    assert inside / 2000 >= least


@pytest.mark.slow
@pytest.mark.parametrize(("count", "most"), [(5, 1.3), (10, 1.3), (30, 1.15), (60, 1.1)])
def test_white_noise_does_not_pay_much_for_it(count: int, most: float) -> None:
    """Beside the interval of values that are known to be independent."""
    source = random.Random(13)
    widths = [math.sqrt(inflation(series(source, count, 0.0))) for _ in range(1000)]
    assert sum(widths) / 1000 <= most


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_it_still_does_where_windows_are_added_until_it_is_narrow(correlation: float) -> None:
    source, inside = random.Random(4), 0
    for _ in range(300):
        values = series(source, 60, correlation)
        count = next((n for n in range(5, 60) if relative_half_width(values[:n]) <= 0.008), 60)
        low, high = median_interval(values[:count])
        inside += low <= 100 <= high
    assert inside / 300 >= 0.88


def test_white_noise_is_hardly_inflated_and_correlated_noise_as_theory_says() -> None:
    source = random.Random(5)
    assert inflation(series(source, 4000, 0.0)) == pytest.approx(1, abs=0.1)
    assert inflation(series(source, 4000, 0.5)) == pytest.approx(3, rel=0.15)
    assert inflation([1.0] * 9) == 1
    assert inflation([float(value) for value in range(10)]) == 5, "two values are left at least"


def test_students_t_is_that_of_the_tables() -> None:
    # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
    for freedom, quantile in {1: 12.706, 4: 2.776, 20: 2.086, 21: 2.080, 30: 2.042, 100: 1.984}.items():
        assert student(freedom) == pytest.approx(quantile, abs=6e-4)


def test_the_interval_of_a_median_contains_it_where_that_of_the_mean_would_not() -> None:
    values = [50.0] * 8 + [100.0 + i / 10 for i in range(22)]
    random.Random(2).shuffle(values)
    low, high = median_interval(values)
    assert low <= median(values) <= high
    assert high - low < 3


def test_no_bound_lies_below_zero_where_no_value_does() -> None:
    noisy = [656.0, 20.0, 700.0, 40.0, 900.0]
    assert median_interval(noisy)[0] == 0.0
    assert median_interval([value - 700.0 for value in noisy])[0] < -700.0


def test_thousands_of_values_have_an_interval() -> None:
    source = random.Random(7)
    assert median_interval([source.gauss(5, 2) for _ in range(4096)]) == pytest.approx((5, 5), abs=0.2)


def test_too_few_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least 5"):
        median_interval([1.0, 1.0, 1.0, 1.0])
    assert relative_half_width([]) == relative_half_width([1.0] * 4) == math.inf
    assert relative_half_width([-1.0, -1.0, 0.0, 1.0, 1.0]) == math.inf
    assert relative_half_width([2.0] * 5) == 0.0
    assert 0.1 < relative_half_width([9.0, 10.0, 10.0, 10.0, 11.0]) < 0.25


def test_median_and_its_deviation_ignore_one_bad_window() -> None:
    assert median([1.0, 2.0, 3.0, 4.0, 1000.0]) == 3.0
    assert mad([1.0, 2.0, 3.0, 4.0, 1000.0]) == pytest.approx(1.4826)
    with pytest.raises(ValueError, match="no values"):
        median([])


def test_the_median_deviation_of_normal_values_is_their_standard_deviation() -> None:
    source = random.Random(4)
    assert mad([source.gauss(0, 3) for _ in range(20_000)]) == pytest.approx(3, rel=0.05)


@pytest.mark.slow
def test_the_interval_of_a_ratio_contains_it_and_narrows() -> None:
    source = random.Random(5)
    above = tuple(source.gauss(190, 4) for _ in range(400))
    below = tuple(source.gauss(100, 2) for _ in range(400))
    low, high = ratio_interval(above, below)
    assert low < 1.9 < high
    few_low, few_high = ratio_interval(above[:6], below[:6])
    assert high - low < few_high - few_low < 0.4
    assert ratio_interval(above, below) == (low, high)


def test_the_interval_of_a_ratio_turned_round_is_its_inverse() -> None:
    source = random.Random(6)
    a = tuple(source.gauss(100, 5) for _ in range(20))
    b = tuple(source.gauss(100, 5) for _ in range(20))
    low, high = ratio_interval(a, b)
    assert low < 1 < high
    assert ratio_interval(b, a) == pytest.approx((1 / high, 1 / low), rel=0.01)


@pytest.mark.parametrize(("above", "below"), [(5, 5), (6, 9), (40, 40)])
def test_the_interval_of_a_ratio_is_that_of_drawing_every_value_expanded(above: int, below: int) -> None:
    source = random.Random(8)
    a = tuple(source.gauss(190, 10) for _ in range(above))
    b = tuple(source.gauss(100, 5) for _ in range(below))
    by_side = []
    for values in (a, b):
        middle, factor = median(values), math.sqrt(inflation(values)) * student(len(values) - 1) / 1.96
        drawn = (median(source.choices(values, k=len(values))) for _ in range(10_000))
        by_side.append([factor * math.log(each / middle) for each in drawn])
    logs = sorted(x - y for x, y in zip(*by_side, strict=True))
    ratio = median(a) / median(b)
    expected = ratio * math.exp(logs[250]), ratio * math.exp(logs[-251])
    assert ratio_interval(a, b) == pytest.approx(expected, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "correlation"), [(6, 0.0), (20, 0.0), (20, 0.5)])
def test_the_interval_of_a_ratio_contains_the_truth_as_often_as_it_says(
    count: int, correlation: float
) -> None:
    source, inside = random.Random(10), 0
    for _ in range(120):
        low, high = ratio_interval(
            tuple(series(source, count, correlation)), tuple(series(source, count, correlation))
        )
        inside += low <= 1 <= high
    assert inside / 120 >= 0.9


@pytest.mark.slow
def test_repeats_have_the_interval_of_their_logarithms() -> None:
    source, inside = random.Random(11), 0
    for _ in range(2000):
        low, high = repeats_interval([100 * math.exp(source.gauss(0, 0.03)) for _ in range(3)])
        inside += low <= 100 <= high
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2)
    with pytest.raises(ValueError, match="two repeats"):
        repeats_interval([1.0])


@pytest.mark.slow
@pytest.mark.parametrize(("above", "below"), [(1, 2), (1, 4), (3, 3), (2, 5)])
def test_repeats_of_unequal_number_have_the_interval_of_their_ratio(above: int, below: int) -> None:
    source, inside = random.Random(12), 0
    for _ in range(2000):
        ours, theirs = ([math.exp(source.gauss(0, 0.03)) for _ in range(count)] for count in (above, below))
        low, high = repeats_ratio_interval(ours, theirs)
        inside += low <= 1 <= high
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)
    with pytest.raises(ValueError, match="two repeats"):
        repeats_ratio_interval([1.0], [1.0])
    with pytest.raises(ValueError, match="two repeats"):
        repeats_ratio_interval([], [1.0, 2.0, 3.0])


def test_the_interval_of_a_ratio_of_thousands_is_narrow_and_holds_the_ratio() -> None:
    source = random.Random(9)
    a = tuple(source.gauss(190, 10) for _ in range(4000))
    b = tuple(source.gauss(100, 5) for _ in range(4001))
    low, high = ratio_interval(a, b)
    assert low < median(a) / median(b) < high < low * 1.01


def test_a_ratio_needs_five_values_on_each_side() -> None:
    with pytest.raises(ValueError, match="each side"):
        ratio_interval((1.0,) * 4, (1.0,) * 5)


@pytest.mark.slow
def test_the_interval_of_a_gain_contains_the_truth_as_often_as_it_says() -> None:
    """Two trainings of unlike rates, alone and side by side: their true gain is 2.5 / 1.4."""
    held = 0
    for seed in range(200):
        source = random.Random(seed)
        alone, beside = (
            tuple(tuple(source.gauss(rate, 0.02 * rate) for _ in range(10)) for rate in rates)
            for rates in ((100.0, 100 / 1.5), (90.0, 100 / 1.4))
        )
        low, high = gain_interval(alone, beside)
        held += low <= 2.5 / 1.4 <= high
    assert 0.93 <= held / 200 <= 1


def test_a_gain_needs_five_values_of_each_training() -> None:
    with pytest.raises(ValueError, match="at least 5"):
        gain_interval(((1.0,) * 5, (1.0,) * 4), ((1.0,) * 5,) * 2)
