"""Times by CUDA events."""

from __future__ import annotations

import pytest

from .conftest import Note, Parts

pytestmark = pytest.mark.usefixtures("gpu")


def test_an_event_is_reached_once_its_work_is_done(parts: Parts) -> None:
    facts = parts["events"]
    assert (facts["reached_early"], facts["reached"]) == (False, True)


def test_cuda_events_agree_with_the_host_clock(parts: Parts, note: Note) -> None:
    facts = parts["events"]
    note(f"{1e3 * facts['seconds']:.3f} and {1e3 * facts['wall']:.3f} ms")
    assert facts["seconds"] == pytest.approx(facts["wall"], rel=0.01)


def test_released_events_are_used_again(parts: Parts) -> None:
    assert parts["events"]["used_again"]


def test_the_clock_of_the_gpu_drifts_by_less_than_200_ppm(parts: Parts, note: Note) -> None:
    facts = parts["drift"]
    note(
        f"{facts['ppm']:+.2f} ppm; a single reading is off by {facts['scatter_us']:.1f} us, "
        f"at worst {facts['worst_us']:.1f} us"
    )
    assert abs(facts["ppm"]) < 200
