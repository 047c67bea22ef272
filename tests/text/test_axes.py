"""Tick values and labels of axes."""

import pytest
from gpubench_tui.engine.text.axes import axis_labels, covering_ticks, inner_ticks, short_number


def test_covering_ticks_are_round_and_enclose_the_range() -> None:
    assert covering_ticks(0, 8, 4) == [0, 2, 4, 6, 8]
    assert covering_ticks(0, 1.93, 4) == [0, 0.5, 1, 1.5, 2]
    assert covering_ticks(0.31, 0.42, 5) == pytest.approx([0.3, 0.35, 0.4, 0.45])
    assert len(covering_ticks(5, 5, 5)) > 1
    assert covering_ticks(0, 0, 5)[0] == 0


def test_inner_ticks_stay_within_the_range() -> None:
    assert inner_ticks(0.3, 9.7, 3) == [5]
    assert inner_ticks(0.3, 9.7, 4) == [2, 4, 6, 8]
    assert inner_ticks(0, 120, 3, steps=(60, 300)) == [0, 60, 120]


def test_labels_of_an_axis_share_a_prefix() -> None:
    assert axis_labels([0, 5000, 10000]) == ["0", "5k", "10k"]
    assert axis_labels([0, 0.5, 1]) == ["0", "0.5", "1"]
    assert axis_labels([0, 2.5e6]) == ["0", "2.5M"]


@pytest.mark.parametrize(("value", "text"), [(12_500, "12.5k"), (850, "850"), (0.25, "0.25"), (3e9, "3G")])
def test_short_numbers(value: float, text: str) -> None:
    assert short_number(value) == text
