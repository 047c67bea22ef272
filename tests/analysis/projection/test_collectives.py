"""Times of collectives, counted by hand."""

from __future__ import annotations

import pytest
from gpubench_tui.engine.analysis.projection.collectives import Layout, collective_seconds
from gpubench_tui.engine.analysis.projection.link_rate import LinkRate
from gpubench_tui.engine.record.events import Collective

WITHIN = LinkRate(latency=1e-6, bandwidth=100e9)
BETWEEN = LinkRate(latency=10e-6, bandwidth=10e9)
GB = 10**9


@pytest.mark.parametrize(
    ("collective", "size", "layout", "seconds"),
    [
        # one machine: 14 messages of 1 µs, and 14/8 of 1 GB at 100 GB/s
        ("all_reduce", GB, Layout(8, 1), 14e-6 + 17.5e-3),
        ("all_gather", GB, Layout(8, 1), 7e-6 + 8.75e-3),
        # great: one ring at 10 GB/s (30/16 of 0.1 s = 187.5 ms) loses to rings in rings
        # (17.5 + 100 ms, 14 and 2 messages), and so does the tree (217 ms)
        ("all_reduce", GB, Layout(8, 2), 14e-6 + 17.5e-3 + 2 * 10e-6 + 0.1),
        ("reduce_scatter", GB, Layout(8, 2), 7e-6 + 8.75e-3 + 10e-6 + 0.05),
        # one GPU a machine, great: a ring of machines, 2 * 3/4 of 0.1 s
        ("all_reduce", GB, Layout(1, 4), 6 * 10e-6 + 0.15),
        # small: the tree, 2 (7 + 7 * 10) µs, against 2 (896 + 127 * 10) µs of the ring
        ("all_reduce", 0, Layout(8, 128), 2 * (7e-6 + 70e-6)),
        # in between: the tree, and 2 MB at 0.92 of 10 GB/s
        ("all_reduce", 10**6, Layout(8, 128), 2 * (7e-6 + 70e-6) + 2e6 / 9.2e9),
        # an all-gather has no tree: 7 messages inside, 127 across
        ("all_gather", 0, Layout(8, 128), 7e-6 + 1270e-6),
        # five machines need a tree of depth 3
        ("all_reduce", 0, Layout(1, 5), 2 * 30e-6),
    ],
)
def test_the_fastest_algorithm_is_taken(
    collective: Collective, size: int, layout: Layout, seconds: float
) -> None:
    between = BETWEEN if layout.machines > 1 else None
    assert collective_seconds(collective, size, layout, WITHIN, between) == pytest.approx(seconds)


def test_one_ring_through_all_devices_wins_where_all_links_are_alike() -> None:
    """Great: of its 15 hops a turn, one crosses to the other machine."""
    within = LinkRate(latency=1e-6, bandwidth=10e9)
    found = collective_seconds("all_reduce", GB, Layout(8, 2), within, BETWEEN)
    assert found == pytest.approx(2 * (14e-6 + 10e-6) + 0.1875, rel=1e-6)


def test_a_slow_link_within_holds_up_the_ring_through_all() -> None:
    within = LinkRate(latency=0.0, bandwidth=1e9)
    one_ring = 2 * 15 / 16 * 1.0
    found = collective_seconds("all_reduce", GB, Layout(8, 2), within, LinkRate(0.0, 100e9))
    rings_in_rings = 2 * 7 / 8 * 1.0 + 2 * 1 / 2 * 0.01
    assert found == pytest.approx(min(one_ring, rings_in_rings))


def test_several_machines_need_the_rate_between_them() -> None:
    with pytest.raises(ValueError, match="the rate between them"):
        collective_seconds("all_reduce", GB, Layout(8, 2), WITHIN, None)
