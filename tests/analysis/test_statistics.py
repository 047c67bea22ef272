import math
import random
from itertools import pairwise

import pytest
from gpubench_tui.engine.analysis.statistics import (
    mad,
    median,
    ratio_interval,
    relative_half_width,
    t_interval,
    t_quantile,
)

# NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2, two-sided 95% and 99%.
TABLE = {
    1: (12.706, 63.657),
    2: (4.303, 9.925),
    3: (3.182, 5.841),
    4: (2.776, 4.604),
    5: (2.571, 4.032),
    6: (2.447, 3.707),
    9: (2.262, 3.250),
    10: (2.228, 3.169),
    19: (2.093, 2.861),
    29: (2.045, 2.756),
    30: (2.042, 2.750),
    60: (2.000, 2.660),
    100: (1.984, 2.626),
}


@pytest.mark.parametrize("freedom", TABLE)
def test_students_t_is_that_of_the_tables(freedom: int) -> None:
    assert t_quantile(0.95, freedom) == pytest.approx(TABLE[freedom][0], abs=6e-4)
    assert t_quantile(0.99, freedom) == pytest.approx(TABLE[freedom][1], abs=6e-4)


def test_students_t_falls_steadily_to_the_normal_quantile() -> None:
    quantiles = [t_quantile(0.95, freedom) for freedom in range(1, 400)]
    assert all(a > b for a, b in pairwise(quantiles))
    assert t_quantile(0.95, 10**6) == pytest.approx(1.959966, abs=1e-5)


@pytest.mark.parametrize(("confidence", "freedom"), [(0.95, 0), (0.0, 3), (1.0, 3)])
def test_there_is_no_quantile_without_freedom_or_confidence(confidence: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="Student"):
        t_quantile(confidence, freedom)


def test_an_interval_by_hand() -> None:
    # mean 10, standard deviation 1, n 4: 10 ± 3.18245 / 2 (values 9, 9, 11, 11 have deviation 2/sqrt(3)).
    low, high = t_interval([9.0, 9.0, 11.0, 11.0])
    half = 3.182446 * (2 / math.sqrt(3)) / 2
    assert (low, high) == pytest.approx((10 - half, 10 + half), rel=1e-6)
    assert relative_half_width([9.0, 9.0, 11.0, 11.0]) == pytest.approx(half / 10, rel=1e-6)


def test_the_interval_contains_the_truth_as_often_as_it_says() -> None:
    source = random.Random(3)
    inside = 0
    for _ in range(2000):
        low, high = t_interval([source.gauss(5, 2) for _ in range(5)])
        inside += low <= 5 <= high
    assert inside / 2000 == pytest.approx(0.95, abs=0.02)


def test_too_few_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least two"):
        t_interval([1.0])
    assert relative_half_width([]) == relative_half_width([1.0]) == math.inf
    assert relative_half_width([-1.0, 1.0]) == math.inf
    assert relative_half_width([2.0, 2.0]) == 0.0


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


def test_a_ratio_needs_two_values_on_each_side() -> None:
    with pytest.raises(ValueError, match="each side"):
        ratio_interval((1.0,), (1.0, 2.0))
