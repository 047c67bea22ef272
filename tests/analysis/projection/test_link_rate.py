"""Rates of links: fitted to a measured curve, and read from the command line."""

from __future__ import annotations

import re

import pytest
from gpubench_tui.engine.analysis.projection.link_rate import LinkRate, fitted_rate, read_link_rate
from gpubench_tui.engine.analysis.results.bandwidth import Curve, curve
from gpubench_tui.engine.record.events import BandwidthMeasured, Collective

SIZES = [1 << power for power in range(10, 29, 2)]


def curve_of(seconds: list[float], ranks: int, collective: Collective = "all_reduce") -> Curve:
    event = BandwidthMeasured(at=0.0, run="a", rank=0, collective=collective, sizes=SIZES, seconds=seconds)
    found = curve([event], ranks)
    assert found is not None
    return found


@pytest.mark.parametrize("ranks", [2, 8])
@pytest.mark.parametrize(("collective", "turns"), [("all_reduce", 2), ("all_gather", 1)])
def test_the_latency_and_bandwidth_behind_a_curve_are_found(
    ranks: int, collective: Collective, turns: int
) -> None:
    messages = turns * (ranks - 1)
    seconds = [messages * (20e-6 + size / ranks / 5e9) for size in SIZES]
    rate = fitted_rate(curve_of(seconds, ranks, collective), ranks)
    assert rate.latency == pytest.approx(20e-6)
    assert rate.bandwidth == pytest.approx(5e9)


def test_small_sizes_count_as_much_as_great_ones() -> None:
    """Absolute errors would leave the latency to chance: the greatest size takes 5,000 times as long."""
    seconds = [2 * 20e-6 + size / 5e9 * (1.05 if size == SIZES[-1] else 1) for size in SIZES]
    assert fitted_rate(curve_of(seconds, 2), 2).latency == pytest.approx(20e-6, rel=0.02)


def test_nothing_is_fitted_below_zero() -> None:
    level = fitted_rate(curve_of([1e-3] * len(SIZES), 2), 2)
    assert (level.latency, level.bandwidth) == (pytest.approx(0.5e-3), float("inf"))
    falling = fitted_rate(curve_of([1e-3 / (place + 1) for place in range(len(SIZES))], 2), 2)
    assert falling.latency > 0 and falling.bandwidth == float("inf")
    steep = fitted_rate(curve_of([(size / 1e9) ** 1.2 for size in SIZES], 2), 2)
    assert steep.latency == 0 and 0 < steep.bandwidth < float("inf")


@pytest.mark.parametrize(
    ("text", "bandwidth", "latency"),
    [
        ("50GB/s,5us", 50e9, 5e-6),
        ("400Gbit/s, 2µs", 50e9, 2e-6),
        ("400Gb/s,2us", 50e9, 2e-6),
        (" .5 GiB/s , 1ms ", 2**29, 1e-3),
        ("12.5MB/s,250ns", 12.5e6, 250e-9),
    ],
)
def test_a_rate_is_read_in_its_units(text: str, bandwidth: float, latency: float) -> None:
    rate = read_link_rate(text)
    assert (rate.bandwidth, rate.latency) == (pytest.approx(bandwidth), pytest.approx(latency))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected a bandwidth and a latency, as in 50GB/s,5us"),
        ("50GB/s", "expected a bandwidth and a latency"),
        ("fast,5us", "expected a bandwidth and a latency"),
        ("50gb/s,5us", "'gb/s' in '50gb/s,5us' is not a unit"),
        ("50GB/s,5h", "'h' in '50GB/s,5h' is not a unit"),
        ("0GB/s,5us", "out of range: expected one above 0"),
        ("50GB/s,11s", "above 10 s"),
        ("-5GB/s,5us", "expected a bandwidth and a latency"),
        ("٥GB/s,5us", "expected a bandwidth and a latency"),
        ("9" * 400 + "GB/s,5us", "out of range"),
    ],
)
def test_what_is_no_rate_is_refused_with_what_would_be(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        read_link_rate(text)


def test_a_rate_is_written_in_its_units() -> None:
    assert str(LinkRate(5e-6, 50e9)) == "50.0 GB/s, 5 µs"
