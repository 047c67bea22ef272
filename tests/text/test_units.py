import time

import pytest
from gpubench_tui.engine.text.units import (
    clock,
    date_time,
    duration,
    gib,
    interval,
    loss_unit,
    milliseconds,
    number,
    percent,
    rate,
    ratio,
    rough_duration,
    with_spread,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (0.0, "0"),
        (0.00001234, "1.2e-05"),
        (0.1234, "0.123"),
        (0.99951, "1.00"),
        (1.234, "1.23"),
        (9.996, "10.0"),
        (12.34, "12.3"),
        (99.96, "100"),
        (1234.5, "1,234"),
        (1234567.0, "1,234,567"),
        (-12.34, "-12.3"),
    ],
)
def test_numbers_have_three_digits_at_least(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (1234.5, 12.3, "1,234 ±12"),
        (1234.5, 1.23, "1,234.5 ±1.2"),
        (12.345, 0.0123, "12.35 ±0.01"),
        (640.0, 0.0, "640 ±0"),
        (640.0, None, "640"),
        (None, None, "n/a"),
        (None, 1.0, "n/a"),
    ],
)
def test_a_value_has_the_decimals_of_its_spread(value: float | None, spread: float | None, text: str) -> None:
    assert with_spread(value, spread) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "n/a"),
        (0.0, "0 µs"),
        (0.00085, "850 µs"),
        (0.0123, "12.3 ms"),
        (0.9996, "1.00 s"),
        (1.5, "1.50 s"),
        (99.4, "99.4 s"),
        (99.6, "1 min 40 s"),
        (3599.7, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_every_figure_names_its_unit_and_none_is_not_zero() -> None:
    assert rate(1234.0) == "1,234 samples/s"
    assert gib(3 << 29) == "1.50 GiB"
    assert percent(0.934) == "93.4%"
    assert percent(1.0) == "100%"
    assert percent(0.0) == "0%"
    assert ratio(1.874) == "1.87x"
    assert milliseconds(0.0123) == "12.3"
    assert (clock(42.9), clock(3723.0)) == ("0:42", "1:02:03")
    assert {f(None) for f in (rate, gib, percent, ratio, milliseconds, clock)} == {"n/a"}


@pytest.mark.parametrize(
    ("bounds", "text"), [(None, ""), ((0.951, 1.05), "0.95x to 1.05x"), ((1.0, 1.0), "1.00x to 1.00x")]
)
def test_intervals(bounds: tuple[float, float] | None, text: str) -> None:
    assert interval(bounds, ratio) == text


@pytest.mark.parametrize(("seconds", "text"), [(1, "5 s"), (43, "45 s"), (89, "90 s"), (120, "2 min")])
def test_estimated_times_are_round(seconds: float, text: str) -> None:
    assert rough_duration(seconds) == text


def test_moments_are_local_and_name_their_zone_if_asked() -> None:
    assert date_time(0.0, zone=True) == f"{date_time(0.0)} {time.strftime('%Z', time.localtime(0.0))}"
    assert len(date_time(0.0)) == len("1970-01-01 00:00")


def test_the_loss_of_tokens_has_a_unit() -> None:
    assert [loss_unit(unit) for unit in ("tokens", "images", "samples")] == ["nats per token", "", ""]
