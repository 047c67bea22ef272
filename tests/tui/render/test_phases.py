"""The bars of where steps go."""

from building.recorded import recorded_session
from driving.rendered import row, shown
from gpubench_tui.tui.render.phases import phase_bars


def test_a_phase_bar_has_each_part_in_its_share() -> None:
    lines = shown(phase_bars, recorded_session(2))
    bar = next(line for line in lines if line.startswith("single x1"))
    drawn = bar.split()[2]
    assert len(drawn) == 100
    counts = [drawn.count(letter) for letter in "itfbXo."]
    assert all(
        abs(count - share) <= 1 for count, share in zip(counts, (20, 5, 25, 40, 0, 7.5, 2.5), strict=True)
    )
    exposed = next(line for line in lines if line.startswith("ddp x2")).split()[2]
    assert abs(exposed.count("X") - 13) <= 1
    assert "X exposed communication" in "\n".join(lines)


def test_shares_stand_in_numbers_under_words_or_where_space_is_short_letters() -> None:
    wide, narrow = shown(phase_bars, recorded_session(2), 118), shown(phase_bars, recorded_session(2), 78)
    names = "input transfer forward backward exposed optimizer unaccounted"
    assert row(wide, "run ") == f"run step, ms in windows {names}"
    assert row(narrow, "run ") == "run step, ms in windows i t f b X o ."
    for lines in (wide, narrow):
        numbers = lines[lines.index(next(line for line in lines if line.startswith("run "))) :]
        assert row(numbers, "ddp x2") == "ddp x2 23.0 20.8 17% 4% 22% 35% 13% 7% 2%"
