"""The strips of GPUs: what each does, in any width."""

import pytest
from building.recorded import gpu_sample
from driving.rendered import lines_of
from gpubench_tui.engine.host.facts import GpuSample
from gpubench_tui.tui.render.monitor.gpu_strip import gpu_strips, throttled_gpus
from msgspec.structs import replace


@pytest.mark.parametrize("width", [38, 58, 78, 118, 198])
@pytest.mark.parametrize("gpus", [1, 2, 8, 16])
def test_every_gpu_has_its_strip_within_the_width(gpus: int, width: int) -> None:
    samples = [gpu_sample(index, gpus) for index in range(gpus)]
    lines = lines_of(gpu_strips(samples, width, 4))
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    for sample in samples:
        figure = "lost" if sample.lost else f"{sample.utilization:.0f}%"
        assert any(f"{sample.index:>2} " in line and figure in line for line in lines), text


def test_sixteen_gpus_take_four_lines_of_an_80_column_terminal() -> None:
    assert len(lines_of(gpu_strips([gpu_sample(index, 16) for index in range(16)], 78, 4))) == 4


def test_a_strip_says_what_there_is_to_know_where_there_is_room() -> None:
    line = gpu_strips([gpu_sample(1, 2)], 118, 4).plain
    for figure in (
        "96%",
        "72/140 GiB",
        "62°C",
        "612/700 W",
        "1755/1980 MHz",
        "power cap, thermal (software)",
    ):
        assert figure in line


def test_what_a_gpu_does_not_tell_is_not_zero() -> None:
    line = gpu_strips([GpuSample(0)], 78, 4).plain
    assert "n/a" in line
    assert "0%" not in line


def test_a_lost_gpu_is_said_to_be_lost() -> None:
    assert "3 lost: no longer answers" in gpu_strips([GpuSample(3, lost=True)], 78, 4).plain


def test_who_is_throttled_and_why_is_said_in_full() -> None:
    samples = [gpu_sample(index, 8) for index in (0, 1, 2)]
    held = [replace(sample, throttle=("thermal (hardware)",)) for sample in (samples[0], samples[2])]
    assert throttled_gpus(samples) == "GPU 1 power cap, thermal (software)"
    assert throttled_gpus([*held, samples[1]]) == (
        "GPU 0, 2 thermal (hardware); GPU 1 power cap, thermal (software)"
    )


@pytest.mark.parametrize("width", [17, 24, 38, 58, 78, 104, 160])
def test_a_throttled_gpu_is_marked_at_any_width(width: int) -> None:
    held, free = gpu_sample(1, 2), gpu_sample(2, 8)
    lines = [gpu_strips([sample], width, 4).plain for sample in (held, free)]
    assert ("power cap" if width >= 38 else "!") in lines[0]
    assert "!" not in lines[1] and "power cap" not in lines[1]
