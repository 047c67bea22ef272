import math
import random
import statistics

import pytest
from gpubench_tui.engine.analysis.statistics import (
    mad,
    median,
    median_interval,
    ratio_interval,
    relative_half_width,
)


@pytest.mark.parametrize(
    ("count", "ends"),
    # How many values from either end: Conover, Practical Nonparametric Statistics, table of the sign test.
    [(5, 0), (6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (20, 5), (25, 7), (100, 39)],
)
def test_the_interval_of_a_median_lies_between_two_of_its_values(count: int, ends: int) -> None:
    values = [float(value) for value in range(count)]
    random.Random(1).shuffle(values)
    assert median_interval(values) == (ends, count - 1 - ends)


def test_the_interval_contains_the_truth_as_often_as_it_says() -> None:
    source = random.Random(3)
    for count in (6, 9, 20):
        inside = 0
        for _ in range(2000):
            low, high = median_interval([source.expovariate(math.log(2)) for _ in range(count)])
            inside += low <= 1 <= high
        assert 0.94 <= inside / 2000 <= 0.98, count


def test_the_interval_of_a_median_contains_it_where_that_of_the_mean_would_not() -> None:
    values = [50.0] * 8 + [100.0 + i / 10 for i in range(22)]
    low, high = median_interval(values)
    assert low <= median(values) <= high
    assert high - low < 1.5


def test_thousands_of_values_have_an_interval() -> None:
    source = random.Random(7)
    assert median_interval([source.gauss(5, 2) for _ in range(4096)]) == pytest.approx((5, 5), abs=0.2)


def test_too_few_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least 5"):
        median_interval([1.0, 1.0, 1.0, 1.0])
    assert relative_half_width([]) == relative_half_width([1.0] * 4) == math.inf
    assert relative_half_width([-1.0, -1.0, 0.0, 1.0, 1.0]) == math.inf
    assert relative_half_width([2.0] * 5) == 0.0
    assert relative_half_width([9.0, 10.0, 10.0, 10.0, 11.0]) == pytest.approx(0.1)


def test_median_and_its_deviation_ignore_one_bad_window() -> None:
    assert median([1.0, 2.0, 3.0, 4.0, 1000.0]) == 3.0
    assert mad([1.0, 2.0, 3.0, 4.0, 1000.0]) == pytest.approx(1.4826)
    with pytest.raises(ValueError, match="no values"):
        median([])


def test_the_median_deviation_of_normal_values_is_their_standard_deviation() -> None:
    source = random.Random(4)
    assert mad([source.gauss(0, 3) for _ in range(20_000)]) == pytest.approx(3, rel=0.05)


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


@pytest.mark.parametrize(("above", "below"), [(5, 5), (6, 9), (10, 10)])
def test_the_interval_of_a_ratio_is_that_of_drawing_every_value(above: int, below: int) -> None:
    source = random.Random(8)
    a = tuple(source.gauss(190, 10) for _ in range(above))
    b = tuple(source.gauss(100, 5) for _ in range(below))
    ratios = sorted(
        statistics.median(source.choices(a, k=above)) / statistics.median(source.choices(b, k=below))
        for _ in range(10_000)
    )
    assert ratio_interval(a, b) == pytest.approx((ratios[250], ratios[-251]), rel=0.02)


def test_the_interval_of_a_ratio_of_thousands_is_narrow_and_holds_the_ratio() -> None:
    source = random.Random(9)
    a = tuple(source.gauss(190, 10) for _ in range(4000))
    b = tuple(source.gauss(100, 5) for _ in range(4001))
    low, high = ratio_interval(a, b)
    assert low < median(a) / median(b) < high < low * 1.01


def test_a_ratio_needs_five_values_on_each_side() -> None:
    with pytest.raises(ValueError, match="each side"):
        ratio_interval((1.0,) * 4, (1.0,) * 5)
