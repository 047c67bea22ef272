"""The decision on a change by pairs of runs, and 200 tunes on noisy machines."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

import pytest
from building.noise import KINDS
from gpubench_tui.engine.analysis.tuning import sequential
from gpubench_tui.engine.analysis.tuning.gain import gain_of, lies_above_one
from gpubench_tui.engine.analysis.tuning.sequential import (
    ERROR,
    LOOKS,
    MOST_PAIRS,
    bound,
    decide,
    share,
)
from gpubench_tui.engine.statistics import student, student_beyond, student_quantile

TUNES = 200
REMEDIES = 8


def paired(noise: Iterator[float], gain: float) -> list[float]:
    """The ratios of as many pairs as there may be, in turns on one machine."""
    ratios = []
    for pair in range(MOST_PAIRS):
        first, second = next(noise), next(noise)
        ratios.append(gain * (second / first if pair % 2 == 0 else first / second))
    return ratios


def kept(kind: str, seed: int, gains: Sequence[float]) -> list[int]:
    """Which remedies of these true gains a tune keeps, one after the other."""
    noise = KINDS[kind](random.Random(seed))
    return [
        place for place, gain in enumerate(gains) if decide(paired(noise, gain), remedy=place + 1) == "keep"
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_tunes_with_nothing_to_gain_keep_nothing(kind: str) -> None:
    misled = sum(bool(kept(kind, seed, [1.0] * REMEDIES)) for seed in range(TUNES))
    assert misled <= 0.05 * TUNES


@pytest.mark.parametrize("kind", ["white", "correlated", "strongly correlated", "skewed", "drift"])
def test_a_gain_of_five_percent_is_found_in_noise_of_two(kind: str) -> None:
    found = 0
    for seed in range(TUNES):
        place = seed % 5
        gains = [1.0] * place + [1.05] + [1.0] * (4 - place)
        found += place in kept(kind, 1000 + seed, gains)
    assert found >= 0.9 * TUNES


def test_a_rule_without_the_stricter_bound_would_be_misled(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the tunes above can tell: each look at each remedy with the whole chance of error."""
    monkeypatch.setattr(sequential, "share", lambda remedy: 1.0)
    monkeypatch.setattr(sequential, "LOOKS", dict.fromkeys(LOOKS, 1.0))
    misled = sum(bool(kept("white", seed, [1.0] * REMEDIES)) for seed in range(TUNES))
    assert misled > 0.1 * TUNES


def test_all_shares_of_the_chance_of_error_add_up_to_one() -> None:
    assert sum(map(share, range(1, 200))) == pytest.approx(1.0)
    assert sum(LOOKS.values()) == pytest.approx(1.0)
    assert all(count % 2 == 0 for count in LOOKS), "either run was first equally often"


def test_what_is_kept_has_an_interval_above_one() -> None:
    for seed in range(300):
        ratios = paired(KINDS["white"](random.Random(seed)), 1.06)
        for count in LOOKS:
            if decide(ratios[:count], remedy=1) == "keep":
                assert lies_above_one(gain_of(ratios[:count]))
                break


def test_the_bound_is_that_of_students_t_by_hand() -> None:
    # With four pairs: t of 3 degrees of freedom at 0.025 x 0.1 x 0.1.
    assert ERROR * share(1) * LOOKS[4] == pytest.approx(0.00025)
    assert bound(4, remedy=1) == pytest.approx(16.33, abs=0.01)
    # Mean 0.1; deviations of +-d have a standard error of d / sqrt(3), here 0.1 / 16.33 at d = 0.01061.
    for deviation, decision in ((0.0105, "keep"), (0.0107, "go on")):
        logs = [0.1 + deviation, 0.1 - deviation] * 2
        assert decide([math.exp(each) for each in logs], remedy=1) == decision


@pytest.mark.parametrize(
    ("ratios", "decision"),
    [
        ([], "go on"),
        ([2.0], "go on"),
        ([0.5, 0.51], "refuse"),
        ([1.0, 1.001], "refuse"),
        ([2.0, 2.01], "go on"),
        ([2.0, 2.01, 2.0], "go on"),
        ([2.0, 2.01, 2.0, 1.99], "keep"),
        ([1.1, 0.9, 1.1, 0.9], "refuse"),
        ([1.2, 1.0, 1.2, 1.0], "go on"),
        ([1.2, 1.0] * 8, "refuse"),
        ([1.0] * 16, "refuse"),
    ],
)
def test_decisions(ratios: list[float], decision: str) -> None:
    assert decide(ratios, remedy=1) == decision


def test_a_decision_stands_whatever_follows() -> None:
    early = [0.5, 0.51]
    assert decide([*early, *[3.0, 3.01] * 5], remedy=1) == "refuse"
    assert decide([*[2.0, 2.01] * 2, *[0.1] * 8], remedy=1) == "keep"


def test_later_remedies_need_more_but_can_still_be_kept() -> None:
    assert bound(8, 1) == bound(8, 9) < bound(8, 10) < bound(8, 20)
    assert decide([1.5, 1.51] * 4, remedy=20) == "keep"


def test_gains_by_hand() -> None:
    gain = gain_of([1.1, 1.21])
    assert gain is not None and gain.interval is not None
    assert gain.value == pytest.approx(math.sqrt(1.1 * 1.21))
    half = 12.7062 * (math.log(1.21) - math.log(1.1)) / 2
    assert gain.interval == pytest.approx((gain.value * math.exp(-half), gain.value * math.exp(half)))
    assert gain.n == 2
    single = gain_of([1.3])
    assert single is not None and single.interval is None and not lies_above_one(single)
    assert gain_of([]) is None and not lies_above_one(None)


def test_quantiles_of_students_t_are_those_of_the_tables() -> None:
    # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2: 0.999 and 0.90.
    for freedom, far, near in (
        (1, 318.313, 3.078),
        (3, 10.215, 1.638),
        (10, 4.144, 1.372),
        (100, 3.174, 1.290),
    ):
        assert student_quantile(freedom, 0.001) == pytest.approx(far, abs=5e-3)
        assert student_quantile(freedom, 0.1) == pytest.approx(near, abs=6e-4)
        assert student_quantile(freedom, 0.9) == pytest.approx(-near, abs=6e-4)
        assert student_quantile(freedom, 0.025) == pytest.approx(student(freedom), abs=6e-4)
        assert student_beyond(0.0, freedom) == 0.5
