import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from driving.terminal import Terminal
from gpubench_tui.tui.terminal.ascii import AsciiFilter, to_ascii
from gpubench_tui.tui.terminal.capabilities import shows_unicode
from rich.segment import Segment
from textual.color import Color


@pytest.mark.parametrize(
    ("environment", "encoding", "expected"),
    [
        ({"LANG": "en_US.UTF-8"}, "utf-8", True),
        ({}, "utf-8", True),
        ({"LANG": "C.utf8"}, "utf-8", True),
        ({"LC_ALL": "C"}, "utf-8", False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", False),
        ({"LC_ALL": "de_DE.ISO-8859-1", "LANG": "en_US.UTF-8"}, "utf-8", False),
        ({"LANG": "en_US.UTF-8"}, "ascii", False),
        ({"LANG": "en_US.UTF-8"}, None, False),
    ],
)
def test_braille_only_where_the_locale_has_it(
    environment: dict[str, str], encoding: str | None, expected: bool
) -> None:
    assert shows_unicode(environment, encoding) is expected


def test_ascii_keeps_every_cell_in_its_place() -> None:
    text = "─┤ █▇ ✓ ±1.2% … 61°C 中"
    assert to_ascii(text) == "-+ #% + ~1.2% . 61 C ?"


@pytest.mark.slow
def test_the_app_starts_without_torch_numpy_nvml_or_plotext() -> None:
    heavy = ("torch", "numpy", "pynvml", "plotext", "psutil", "msgspec")
    code = f"import sys, gpubench_tui.tui.app; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.slow
def test_told_to_go_it_restores_the_terminal(tmp_path: Path, number: signal.Signals) -> None:
    terminal = Terminal("--sessions-dir", str(tmp_path))
    terminal.read_until("Quickstart")
    os.kill(terminal.pid, number)
    terminal.read_until("\x1b[?1049l", "\x1b[?25h")
    assert terminal.status() == 128 + number
    os.close(terminal.file)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (["6,404 ", "±76", "        end"], ["6,404 +/-76      end"]),
        (["|    6,404 ±76|"], ["|  6,404 +/-76|"]),
        (["±1% and ±2%", "    ", "|"], ["+/-1% and ~2%  |"]),
        (["no room ±1|"], ["no room ~1|"]),
        (["plain"], ["plain"]),
    ],
)
def test_plus_minus_takes_its_cells_from_blanks_nearby(line: list[str], shown: list[str]) -> None:
    drawn = AsciiFilter().apply([Segment(text) for text in line], Color(0, 0, 0))
    assert "".join(segment.text for segment in drawn) == "".join(shown)
    assert sum(map(len, line)) == sum(len(segment.text) for segment in drawn)


@pytest.mark.slow
def test_an_exported_size_does_not_hold_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "8")
    terminal = Terminal("--sessions-dir", str(tmp_path), size=(100, 30))
    try:
        terminal.read_until("cnn-vs-vit", "quickstart")
        assert max(map(len, terminal.screen().splitlines())) > 60
    finally:
        terminal.kill()
