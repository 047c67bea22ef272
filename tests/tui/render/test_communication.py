"""What communication costs, as a table."""

from building.recorded import recorded_session
from driving.rendered import row, shown
from gpubench_tui.tui.render.communication import communication_table


def test_communication_says_what_it_costs_and_what_the_links_reach() -> None:
    lines = shown(communication_table, recorded_session(2), 78)
    text = "\n".join(lines)
    assert "MB per step" in text and "sync cost, ms (95%)" in text and "predicted, ms" in text
    costs = row(lines, "ddp x2")
    assert costs.startswith("ddp x2 44.7 3.0") and " to " in costs
    assert "utilisation" in text and "overlap" in text and "reachable" in text


def test_a_cost_within_the_noise_is_no_figure() -> None:
    assert "below the noise (-" in row(shown(communication_table, recorded_session(8)), "ddp x8")


def test_without_devices_that_speak_there_is_no_communication_to_wait_for() -> None:
    state = recorded_session(2)
    for name in list(state.runs):
        if state.runs[name].spec.mode != "single":
            del state.runs[name]
    assert "no run here has devices that communicate" in "\n".join(shown(communication_table, state))
