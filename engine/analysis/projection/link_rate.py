"""Rate of a level of links, within a machine or between machines: latency of a message and bandwidth."""

from __future__ import annotations

import re

from msgspec import Struct

from ...text.units import duration, number
from ..results.bandwidth import Curve, bus_factor

RATE_UNITS = {
    **{f"{prefix}B/s": 1000.0**power for power, prefix in enumerate(("", "k", "M", "G", "T"))},
    **{f"{prefix}iB/s": 1024.0**power for power, prefix in enumerate(("K", "M", "G", "T"), 1)},
    **{f"{prefix}bit/s": 1000.0**power / 8 for power, prefix in enumerate(("", "k", "M", "G", "T"))},
    **{f"{prefix}b/s": 1000.0**power / 8 for power, prefix in enumerate(("M", "G", "T"), 2)},
}
"""B/s of each unit of a bandwidth; a small `b` counts bits."""
LATENCY_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0}
"""Seconds of each unit of a latency."""
GIVEN = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([A-Za-z]+/s)\s*,\s*(\d+\.?\d*|\.\d+)\s*([a-zµμ]+)\s*", re.ASCII)
EXAMPLE = "50GB/s,5us"
SHORTEST, LONGEST = 1e-9, 1e6
"""Seconds between which measured times are credible; others are of a damaged journal."""


class LinkRate(Struct, frozen=True):
    """The alpha-beta model of a level of links (Hockney 1994): a message takes latency + size / bandwidth."""

    latency: float
    """Time of an empty message, in s."""
    bandwidth: float
    """Rate in B/s in one direction: of a device within a machine, of a whole machine between machines."""

    def __str__(self) -> str:
        """Write the rate as `50.0 GB/s, 5 µs`."""
        return f"{number(self.bandwidth / 1e9)} GB/s, {duration(self.latency)}"


def read_link_rate(text: str) -> LinkRate:
    """Read a rate such as `50GB/s,5us`; ValueError with a sentence for anything else."""
    found = GIVEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a link: expected a bandwidth and a latency, as in {EXAMPLE}")
    rate, rate_unit, latency, latency_unit = found.groups()
    for unit, known in ((rate_unit, RATE_UNITS), (latency_unit, LATENCY_UNITS)):
        if unit not in known:
            raise ValueError(
                f"{unit!r} in {text!r} is not a unit: expected one as in {EXAMPLE} or 400Gbit/s,2us"
            )
    bandwidth = float(rate) * RATE_UNITS[rate_unit]
    if not 0 < bandwidth < 1e18:
        raise ValueError(f"the bandwidth of {text!r} is out of range: expected one above 0, as in {EXAMPLE}")
    seconds = float(latency) * LATENCY_UNITS[latency_unit]
    if seconds > 10:
        raise ValueError(f"the latency of {text!r} is above 10 s: expected one as in {EXAMPLE}")
    return LinkRate(seconds, bandwidth)


def fitted_rate(curve: Curve, ranks: int) -> LinkRate | None:
    """Fit latency and bandwidth to a measured curve by least squares of the relative errors.

    As a ring, a collective of S bytes on N ranks takes 2(N-1) latency + 2(N-1)/N S / bandwidth for an
    all-reduce, and half of that for the others. Neither is fitted below 0: a curve without a slope is all
    latency at an unbounded bandwidth, one without an intercept all bandwidth. None without credible points.
    """
    factor = bus_factor(curve.collective, ranks)
    points = [point for point in curve.points if SHORTEST < point.seconds < LONGEST]
    if not points:
        return None
    weights = [1 / point.seconds**2 for point in points]
    sizes = [point.bytes for point in points]
    times = [point.seconds for point in points]
    total = sum(weights)
    size = sum(w * s for w, s in zip(weights, sizes, strict=True)) / total
    time = sum(w * t for w, t in zip(weights, times, strict=True)) / total
    spread = sum(w * (s - size) ** 2 for w, s in zip(weights, sizes, strict=True))
    both = sum(w * (s - size) * (t - time) for w, s, t in zip(weights, sizes, times, strict=True))
    slope = both / spread if spread else 0.0
    start = time - slope * size
    if start < 0 or not spread:
        squares = sum(w * s * s for w, s in zip(weights, sizes, strict=True))
        start, slope = 0.0, sum(w * s * t for w, s, t in zip(weights, sizes, times, strict=True)) / squares
    elif slope <= 0:
        start, slope = total / sum(w / t for w, t in zip(weights, times, strict=True)), 0.0
    return LinkRate(start / (factor * ranks), factor / slope if slope else float("inf"))
