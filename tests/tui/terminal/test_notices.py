"""Notices to a person who looks elsewhere: the bytes that reach the terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from building.session_process import Starter
from driving.terminal import Terminal, wait_for
from gpubench_tui.engine.conductor import control
from gpubench_tui.tui.terminal.notices import LONGEST_NOTICE, Notices, window_title


@pytest.mark.parametrize(
    ("notices", "environment", "sent"),
    [
        (Notices(), {}, ""),
        (Notices(bell=True), {"TMUX": "/tmp/tmux"}, "\a"),
        (Notices(notification="osc9"), {}, "\x1b]9;a is finished: 1.9x; severe\a"),
        (Notices(True, "osc777"), {}, "\x1b]777;notify;a is finished;1.9x; severe\a\a"),
        (
            Notices(notification="osc9"),
            {"TMUX": "/tmp/tmux", "STY": "1.pts"},
            "\x1bPtmux;\x1b\x1b]9;a is finished: 1.9x; severe\a\x1b\\",
        ),
        (Notices(notification="osc9"), {"STY": "1.pts"}, "\x1bP\x1b]9;a is finished: 1.9x; severe\a\x1b\\"),
    ],
)
def test_the_end_of_a_session(notices: Notices, environment: Mapping[str, str], sent: str) -> None:
    assert notices.of_end("a is finished", "1.9x; severe", environment) == sent


def test_without_a_result_there_is_no_colon() -> None:
    assert Notices(notification="osc9").of_end("a is stopped", "", {}) == "\x1b]9;a is stopped\a"


HOSTILE = "a\a\x1b]0;pwned\x07\x9c\x1b\\;b\nc\x85"


@pytest.mark.parametrize("kind", ["osc9", "osc777"])
def test_a_name_can_neither_end_the_sequence_nor_begin_another(kind: str) -> None:
    for sequence in (Notices(notification=kind).of_end(HOSTILE, HOSTILE, {}), window_title(HOSTILE)):
        assert sequence.startswith("\x1b]") and sequence.endswith("\a")
        assert sequence[2:-1].isprintable()
    title = Notices(notification="osc777").of_end("a;b", "c", {})
    assert title == "\x1b]777;notify;a,b;c\a"


def test_no_notice_is_longer_than_terminals_take() -> None:
    assert len(window_title("x" * 5000)) < LONGEST_NOTICE + 10


@pytest.mark.slow
def test_a_session_that_ends_is_heard_and_the_title_is_given_back(
    running_session: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)
    settings = tmp_path / "config" / "gpubench-tui"
    settings.mkdir(parents=True)
    settings.joinpath("config.toml").write_text(
        'bell = true\nnotification = "osc9"\nwindow_title = true\n', encoding="utf-8"
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = running_session(2, 6.7)
    terminal = Terminal("attach", folder.name, "--sessions-dir", str(tmp_path))
    try:
        terminal.read_until(f"% {folder.name}\a")
        kept, _, title = terminal.output.partition(b"\x1b]2;")
        assert kept.endswith(b"\x1b[22;2t")  # the title that the terminal had
        assert title.split(b"%")[0].isdigit()
        assert b"\x1b]9;" not in terminal.output
        control.stop_session(folder)
        terminal.read_until(f"\x1b]2;{folder.name}: stopped\a")
        assert f"\x1b]9;{folder.name} is stopped: dp on 2 devices is 1.91x".encode() in terminal.output
        assert b"\a\a" in terminal.output  # the one that ends the notification, and the bell
        terminal.press("q")
        terminal.read_until("\x1b]2;\a\x1b[23;2t", "\x1b[?1049l")
        assert b"\x1b[23;2t" in terminal.output
        assert terminal.status() == os.EX_OK + 130
    finally:
        terminal.kill()


@pytest.mark.slow
def test_without_settings_nothing_is_sent(running_session: Starter, tmp_path: Path) -> None:
    folder = running_session(0, 6.7)
    terminal = Terminal("attach", folder.name, "--sessions-dir", str(tmp_path))
    try:
        terminal.read_until("single x1")
        control.stop_session(folder)
        terminal.read_until("Results", "stopped early")
        wait_for(lambda: not folder.goes_on())
        terminal.press("q")
        terminal.read_until("\x1b[?1049l")
        for sequence in (b"\x1b]9;", b"\x1b]777;", b"\x1b]2;", b"\x1b[22;2t"):
            assert sequence not in terminal.output
    finally:
        terminal.kill()
