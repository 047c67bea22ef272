"""Projections on the results screen."""

from building.ring_sessions import gpu_host, ring_session
from driving.rendered import row, shown
from gpubench_tui.tui.render.projection import projection_table


def test_the_table_is_projected_with_interval_and_check() -> None:
    lines = shown(projection_table, ring_session((1, 2, 4), host=gpu_host(8)), 78)
    assert "projected samples/s" in lines[0] and "95% interval" in lines[0]
    assert row(lines, "ddp x4").startswith("ddp x4 8 20,")
    text = " ".join(" ".join(lines).split())
    assert "the same method gives" in text and "Not projected to 64, 1,024" in text
    assert max(map(len, lines)) <= 78


def test_nothing_is_projected_while_measuring_or_from_one_device() -> None:
    running = ring_session((1, 2))
    running.outcome = None
    assert "once the session has ended" in shown(projection_table, running, over=False)[0]
    assert "no run of ddp or fsdp" in shown(projection_table, ring_session((1,)))[0]
