"""Projections in reports: a section of their own, marked, with interval, check and assumptions."""

from __future__ import annotations

import json

import pytest
from building.ring_sessions import gpu_host, ring_session
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.export import render
from gpubench_tui.engine.analysis.projection.link_rate import LinkRate
from gpubench_tui.engine.analysis.projection.projection import Projection, projections
from gpubench_tui.engine.analysis.report.projection import PROJECTED, projection_text, render_projection
from gpubench_tui.engine.analysis.report.terminal import session_text
from msgspec.structs import replace

FOUR_OF_EIGHT = ring_session((1, 2, 4), host=gpu_host(8))
ALL_OF_FOUR = ring_session((1, 2, 4))


def across_machines() -> tuple[Projection, ...]:
    return projections(analyse(ALL_OF_FOUR).inquiry, (64, 1024), LinkRate(5e-6, 50e9))


def test_the_markdown_report_has_a_section_of_its_own() -> None:
    text = render(analyse(FOUR_OF_EIGHT), "md")
    part = text.partition(f"## {PROJECTED}\n")[2].partition("\n## ")[0]
    assert "projected samples/s" in part and "95% interval" in part
    assert "\n| ddp x4 |       8 |" in part
    assert "- ddp x4: from 2 of its devices the same method gives " in part
    assert " on 4 (+0.0%)" in part or " on 4 (0.0%)" in part
    assert "- Not projected to 64, 1,024: the measured links connect 8 devices" in part


def test_without_several_devices_there_is_no_section() -> None:
    analysis = analyse(ring_session((1,)))
    assert PROJECTED not in render(analysis, "md") + session_text(analysis, 100)
    assert json.loads(render(analysis, "json"))["projection"] == []


def test_json_marks_each_projection_as_one() -> None:
    (found,) = json.loads(render(analyse(FOUR_OF_EIGHT), "json"))["projection"]
    assert found["kind"] == "projected" and found["check"]["held_out"] is True
    (point,) = found["points"]
    low, high = point["interval"]
    assert low < point["throughput"] < high
    assert list(found["refused"].values()) == [[64, 1024]]


def test_the_summary_after_a_run_has_it_too() -> None:
    assert f"\n{PROJECTED}:\n" in session_text(analyse(FOUR_OF_EIGHT), 100)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_text_fits_the_terminal(width: int) -> None:
    lines = projection_text(across_machines(), width)
    assert max(map(len, lines)) <= width
    titles = lines[1].split()
    assert titles[0] == "from" and {"devices", "projected", "efficiency"} <= set(titles)
    text = " ".join(" ".join(lines).split())
    assert "Assumed: 50.0 GB/s, 5 µs between machines of 4 devices, as given and not measured" in text


def test_noise_beyond_the_measured_steps_is_called_a_lower_bound() -> None:
    noisy = ring_session((1, 2), late={0: (0.0, 0.001)}, longer={2: 1.05})
    found = projections(analyse(noisy).inquiry, (8, 1024), LinkRate(5e-6, 50e9))
    text = " ".join(projection_text(found, 1000))
    assert "Up to 1,024 ranks are more than the measured steps, so that their noise is a lower bound" in text


def test_the_formats_of_the_command_say_the_same() -> None:
    found = across_machines()
    document = json.loads(render_projection("s", found, "json"))
    assert (document["schema"], document["version"]) == ("gpubench-tui/projection", 1)
    assert [point["devices"] for point in document["projection"][0]["points"]] == [64, 1024]
    assert render_projection("s", found, "md").startswith(f"## {PROJECTED}\n")
    assert render_projection("s", found, "text", 80).startswith(f"{PROJECTED}:\n")


def test_the_checks_of_many_runs_are_told_in_one_sentence() -> None:
    """Each is in its row of the table, too."""
    (four,) = across_machines()
    assert four.check is not None
    errors = (-0.02, 0.0, 0.034, 0.01)
    many = [
        replace(four, label=f"ddp x4, batch {32 << place}", check=replace(four.check, error=error))
        for place, error in enumerate(errors)
    ]
    text = "\n".join(projection_text(many, 200))
    assert "the 4 measured runs on the most devices come out at -2.0% to +3.4%" in text
    assert "the same method gives" not in text
    assert text.count("Assumed: 50.0 GB/s") == 1, "what all have in common is said once, of none"
    told = "\n".join(projection_text(many[:2], 200))
    assert "ddp x4, batch 64: from 2 of its devices the same method gives" in told
    lines = [line for line in text.splitlines() if line.strip().startswith("ddp x4, batch 128 ")]
    assert len(lines) == 2 and all("+3.4%" in line for line in lines)
