"""The end of a log, fit for a screen."""

from __future__ import annotations

from pathlib import Path

from gpubench_tui.tui.data.log_tail import read_log_tail


def test_colours_are_left_out_and_other_control_characters_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\x1b[1;31mred\x1b[0m\tend\r\n 10%\r 50%\r100%\n\x1b]0;title\x07\x00plain \xff\n")
    assert read_log_tail(log) == ["red end", "100%", r"\x00plain \xff"]


def test_of_a_long_log_only_whole_lines_of_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    lines = read_log_tail(log, 1000)
    assert lines[-1] == "line 99999"
    assert len(lines) < 100 and all(line.startswith("line ") for line in lines)


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert read_log_tail(tmp_path / "none") == []
