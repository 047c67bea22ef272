import pytest
from gpubench_tui.engine.text.ascii import HEIGHT, WIDTH, ascii_bar, ascii_plot, stacked_bar
from gpubench_tui.engine.text.units import percent


def test_a_curve_rises_from_corner_to_corner() -> None:
    lines = ascii_plot([1, 2, 3], {"o": [0.0, 0.5, 1.0]}, percent)
    rows = [line.split("|", 1)[1] for line in lines[:HEIGHT]]
    assert rows[0].rstrip().endswith("o")
    assert len(rows[0].rstrip()) == WIDTH
    assert rows[-1].startswith("o")
    columns = [
        next(i for i, row in enumerate(rows) if column < len(row) and row[column] == "o")
        for column in range(WIDTH)
    ]
    assert columns == sorted(columns, reverse=True), "every column has its point, none below the one before"
    assert [lines[i].split()[0] for i in (0, HEIGHT // 2, HEIGHT - 1)] == ["100%", "50.0%", "0%"]
    assert lines[-1].split() == ["1", "3"]


def test_two_curves_share_an_axis_and_gaps_stay_gaps() -> None:
    lines = ascii_plot([1, 2, 3, 4], {".": [4.0, None, 2.0, 1.0], "o": [4.0, 4.0, 4.0, 4.0]}, "{:g}".format)
    assert lines[0] == "  4 |" + "o" * WIDTH
    assert lines[HEIGHT // 2].startswith("2.5 |")
    drawn = sum(line.count(".") for line in lines[:HEIGHT])
    assert 15 <= drawn <= 25, "only the last third has both its ends"


def test_flat_curves_and_no_curves() -> None:
    assert any("o" * WIDTH in line for line in ascii_plot([0, 1], {"o": [3.0, 3.0]}, "{:g}".format))
    assert ascii_plot([0], {"o": [3.0]}, "{:g}".format) == []
    assert ascii_plot([0, 1], {"o": [None, float("nan")]}, "{:g}".format) == []


@pytest.mark.parametrize(("value", "length"), [(0.0, 0), (5.0, 15), (10.0, 30)])
def test_a_bar_is_in_proportion(value: float, length: int) -> None:
    assert ascii_bar(value, 10.0, 30) == "#" * length
    assert ascii_bar(1.0, 0.0) == ""


def test_parts_of_a_bar_add_up() -> None:
    assert stacked_bar({"a": 0.5, "b": 0.25, "c": 0.25}, 8) == "aaaabbcc"
    assert stacked_bar({"a": 0.999, "b": 0.001}, 10) == "a" * 10
