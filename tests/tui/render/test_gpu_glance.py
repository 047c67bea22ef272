"""The GPUs of the launch screen: every figure and every user in the cells that there are."""

from __future__ import annotations

import pytest
from building import recorded
from gpubench_tui.engine.host.facts import Gpu, GpuProcess, GpuSample
from gpubench_tui.engine.text.units import GIB
from gpubench_tui.tui.data.gpu_users import GpuState, gpu_states
from gpubench_tui.tui.render.gpu_glance import HIDDEN, gpu_choice, gpu_glance
from msgspec.structs import replace


def sample(index: int, *processes: GpuProcess, used: int = 1, **other: object) -> GpuSample:
    figures = {
        "utilization": 97.0,
        "temperature": 61.0,
        "power_watts": 612.0,
        "power_limit_watts": 700.0,
        "memory_used_bytes": used * GIB,
        "memory_total_bytes": 140 * GIB,
        "processes": processes,
    }
    return GpuSample(index=index, **{**figures, **other})  # type: ignore[arg-type]


def gpus(count: int, **owners: int) -> list[Gpu]:
    """GPUs that were inspected while these people had processes of these ids on them."""
    seen = tuple(GpuProcess(pid, "program", user=user) for user, pid in owners.items())
    return [replace(gpu, processes=seen) for gpu in recorded.host(count).gpus]


def states(count: int, *samples: GpuSample, chosen: tuple[int, ...] | None = None) -> list[GpuState]:
    known = {each.index: each for each in samples}
    everything = [known.get(index, sample(index)) for index in range(count)]
    return gpu_states(gpus(count, anna=7, bob=8), everything, chosen)


@pytest.mark.parametrize("count", [1, 2, 8, 16])
@pytest.mark.parametrize(("width", "height"), [(78, 6), (118, 10), (198, 12), (58, 4), (38, 4)])
def test_each_gpu_has_all_figures_and_users_within_the_width(count: int, width: int, height: int) -> None:
    python, perl = GpuProcess(7, "python", 70 * GIB), GpuProcess(8, "perl", 9 * GIB)
    found = gpu_glance(
        states(
            count, *(sample(index, python, used=71) for index in range(1, count)), sample(0, perl, used=9)
        ),
        width,
        height,
    )
    lines = found.plain.split("\n")
    assert max(map(len, lines)) <= width
    assert len(lines) <= height + 3 or width < 60
    text = found.plain
    for figure in ("97", "61", "612"):
        assert text.count(figure) >= count
    assert "bob perl" in text and ("anna python" in text or count == 1)
    # The GPU of an index stands on the line of its own figures.
    assert all(any(f" {index} " in f" {line} " for line in lines) for index in range(count))


def test_programs_of_one_person_are_named_once_with_their_memory() -> None:
    twice = GpuProcess(7, "python", GIB), GpuProcess(7, "python", 2 * GIB), GpuProcess(9, "sleep", 5 * GIB)
    (state,) = states(1, sample(0, *twice))
    assert [(user.name, user.memory_bytes) for user in state.users or ()] == [
        ("sleep", 5 * GIB),
        ("anna python", 3 * GIB),
    ]


def test_what_is_not_known_is_not_said_to_be_nothing() -> None:
    unknown = sample(0, processes=None, utilization=None, temperature=None, power_watts=None)
    assert gpu_glance(gpu_states(recorded.host(1).gpus, [unknown], None), 78, 4).plain.count("n/a") == 4
    found_before = gpu_states(gpus(1, anna=7), [unknown], None)
    assert "anna program" in gpu_glance(found_before, 78, 4).plain
    hidden = states(2, sample(0, used=70), sample(1))
    assert gpu_glance(hidden, 118, 4).plain.count(HIDDEN[:20]) == 1
    assert HIDDEN in gpu_choice(hidden[0], 80, True).plain
    assert "free" in gpu_choice(hidden[1], 80, True).plain
    lost = states(1, GpuSample(index=0, lost=True))
    assert "no longer answers" in gpu_glance(lost, 78, 4).plain


def test_the_chosen_gpus_are_marked_where_some_are_not() -> None:
    assert "*" not in gpu_glance(states(2), 78, 4).plain
    lines = gpu_glance(states(4, chosen=(1, 3)), 78, 4).plain.split("\n")
    assert [line[:3] for line in lines] == [" 0 ", " 1*", " 2 ", " 3*"]
