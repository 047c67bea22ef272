import math
import random
from itertools import pairwise

import pytest
from gpubench_tui.engine.record.series import Series


def test_few_points_are_kept_as_they_are() -> None:
    series = Series(capacity=8)
    for x, y in [(0.0, 1.0), (0.5, 3.0), (2.0, -1.0)]:
        series.add(x, y)
    assert [(b.x, b.mean, b.low, b.high, b.points) for b in series.buckets()] == [
        (0.0, 1.0, 1.0, 1.0, 1),
        (0.5, 3.0, 3.0, 3.0, 1),
        (2.0, -1.0, -1.0, -1.0, 1),
    ]
    assert series.last == -1.0
    assert len(series) == series.points == 3


def test_an_empty_series() -> None:
    series = Series()
    assert series.buckets() == series.buckets(10) == []
    assert series.last is None
    assert len(series) == 0


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 64, 65, 1000, 12_345])
@pytest.mark.parametrize("capacity", [2, 8, 64])
def test_whatever_is_added_the_size_is_bounded_and_nothing_is_lost(count: int, capacity: int) -> None:
    source = random.Random(count)
    ys = [source.gauss(0, 1) for _ in range(count)]
    series = Series(capacity)
    for x, y in enumerate(ys):
        series.add(x, y)
    buckets = series.buckets()
    assert len(series) == len(buckets) <= capacity
    assert len(buckets) >= min(count, capacity / 2)
    assert sum(bucket.points for bucket in buckets) == series.points == count
    assert min(bucket.low for bucket in buckets) == min(ys)
    assert max(bucket.high for bucket in buckets) == max(ys)
    assert sum(bucket.mean * bucket.points for bucket in buckets) == pytest.approx(math.fsum(ys), abs=1e-9)
    assert buckets[-1].x == count - 1
    assert all(a.x < b.x for a, b in pairwise(buckets))
    # Each bucket speaks for exactly the points up to its x.
    start = 0
    for bucket in buckets:
        part = ys[start : start + bucket.points]
        start += bucket.points
        assert bucket.x == start - 1
        assert (bucket.low, bucket.high) == (min(part), max(part))
        assert bucket.mean == pytest.approx(sum(part) / len(part), abs=1e-12)


def test_one_spike_among_a_million_points_is_still_seen() -> None:
    series = Series(capacity=256)
    for first in range(0, 1_000_000, 1000):
        ys = [1.0] * 1000
        if first == 437_000:
            ys[123] = 99.0
        series.add_many(range(first, first + 1000), ys)
    assert [bucket.high for bucket in series.buckets()].count(99.0) == 1
    assert [bucket.high for bucket in series.buckets(20)].count(99.0) == 1


def test_adding_many_is_adding_one_by_one() -> None:
    source = random.Random(1)
    ys = [source.random() for _ in range(5000)]
    one_by_one, in_batches = Series(64), Series(64)
    for x, y in enumerate(ys):
        one_by_one.add(x, y)
    first = 0
    while first < len(ys):
        part = ys[first : first + source.randrange(0, 40)]
        in_batches.add_many(range(first, first + len(part)), part)
        first += len(part)
    for a, b in zip(one_by_one.buckets(), in_batches.buckets(), strict=True):
        assert a == pytest.approx(b)
    assert in_batches.points == 5000
    assert in_batches.last == ys[-1]


@pytest.mark.parametrize("most", [1, 3, 10, 100])
def test_drawn_in_fewer_columns_the_extremes_are_kept(most: int) -> None:
    source = random.Random(2)
    ys = [source.random() for _ in range(777)]
    series = Series(128)
    series.add_many(range(777), ys)
    buckets = series.buckets(most)
    assert len(buckets) == min(most, len(series))
    assert sum(bucket.points for bucket in buckets) == 777
    assert min(bucket.low for bucket in buckets) == min(ys)
    assert max(bucket.high for bucket in buckets) == max(ys)
    assert buckets[-1].x == 776


@pytest.mark.parametrize("capacity", [0, 1, 7, -2])
def test_a_capacity_that_cannot_be_halved_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="even capacity"):
        Series(capacity)


@pytest.mark.parametrize("points", [0, 1, 5, 7, 8, 9, 100])
def test_a_part_of_it_is_the_buckets_that_end_there(points: int) -> None:
    series = Series(capacity=8)
    for x in range(points):
        series.add(x, x)
    for start, end in ((-5, -1), (-1, 3), (0, 0), (2, 50), (points - 1, points), (0, 1000), (3, 2)):
        assert series.between(start, end) == [b for b in series.buckets() if start <= b.x <= end]


def test_parts_of_a_stretch_stand_still_while_the_curve_grows() -> None:
    series = Series(64)
    shown = []
    for x in range(60):
        series.add(x, float(x % 7))
        shown.append(series.binned(10, 50, 8))
    assert shown[5] == []
    full = shown[-1]
    assert [bucket.x for bucket in full] == [14, 19, 24, 29, 34, 39, 44, 50]
    assert sum(bucket.points for bucket in full) == 41
    for step in range(16, 60):
        done = [bucket for bucket in shown[step] if bucket.x < 15]
        assert done == [bucket for bucket in full if bucket.x < 15]


def test_parts_keep_extremes_and_count_the_newest_points() -> None:
    series = Series(8)
    for x in range(37):
        series.add(x, 100.0 if x == 3 else float(x == 36))
    (everything,) = series.binned(0, 36, 1)
    assert everything.points == 37 and everything.x == 36
    assert (everything.low, everything.high) == (0.0, 100.0)
    assert everything.mean == pytest.approx(101 / 37)
