"""The monitor of a running session."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from building import recorded
from building.recorded import shelve
from building.session_process import Starter
from driving.app import SIZES, monitor, screen_text, turns, wait_for_text, wait_until, watching
from gpubench_tui.engine.conductor import control
from gpubench_tui.engine.record.events import Sampled, SessionStarted
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import Session
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.screens import session_screen
from gpubench_tui.tui.screens.dialogs.question import QuestionScreen
from gpubench_tui.tui.screens.launch import LaunchScreen
from gpubench_tui.tui.screens.monitor import MonitorScreen
from gpubench_tui.tui.screens.results import ResultsScreen
from gpubench_tui.tui.widgets import session_view
from gpubench_tui.tui.widgets.panel import Panel
from msgspec.structs import replace
from textual.content import Content

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gpus", [0, 2, 8, 16])
async def test_the_monitor_shows_all_of_a_running_session(
    running_session: Starter, gpus: int, size: tuple[int, int]
) -> None:
    folder = running_session(gpus, 6.7)
    app = watching(folder)
    async with app.run_test(size=size) as pilot:
        text = await wait_for_text(
            pilot, "running", "window 3 of at least 5", "Samples/s: live", "✓ single x1", "measured single x1"
        )
        assert "left (estimate)" in text
        assert "6,404 samples/s" in text and "measured single x1" in text
        assert "▶ d" in text and "skipped: " in text
        assert re.search(r"Loss over steps: [01]\.\d", text)
        assert any("⠀" < character <= "⣿" for character in text)
        assert "Stop" in text and "Skip run" in text and "Quit" in text
        if gpus == 0:
            assert "70% of 2 cores" in text and "CPU: AMD EPYC 9554" in text
        else:
            assert "throttled: GPU 1 power cap, thermal (software)" in text
            assert ("host memory 12.0/64.0 GiB, session 1.3 cores 2.0 GiB" in text) == (size[0] > 80)
            assert all(f"{index:>2} " in text for index in range(gpus))
            assert ("15 lost" in text) == (gpus == 16)
        for name in ("plan", "now", "throughput", "loss", "devices", "log"):
            region = app.screen.query_one(f"#{name}", Panel).region
            assert region.height >= 3 and region.bottom <= size[1], name


@pytest.mark.parametrize("size", SIZES)
async def test_cpus_that_train_stand_above_gpus_that_do_not(tmp_path: Path, size: tuple[int, int]) -> None:
    folder = Shelf(tmp_path).create(None, recorded.plan(0), recorded.host(2), "")
    journal = Journal(folder.journal)
    for event in recorded.session_events(0):
        match event:
            case SessionStarted():
                journal.append(replace(event, host=recorded.host(2)))
            case Sampled(at=at):
                journal.append(recorded.sampled(at, 2))
            case _ if event.at <= 6.7:
                journal.append(event)
    journal.close()
    app = watching(folder)
    async with app.run_test(size=size) as pilot:
        text = await wait_for_text(pilot, "CPU, which trains, and 2 x NVIDIA H200")
        lines = text.splitlines()
        (cores,) = [at for at, line in enumerate(lines) if "70% of 2 cores" in line]
        assert [lines[cores + below].strip()[:2] for below in (2, 3)] == ["0 ", "1 "]
        assert "host memory 12.0/64.0 GiB" in lines[cores + 1]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_long_plan_shows_the_repeat_that_is_on(tmp_path: Path, size: tuple[int, int]) -> None:
    app = watching(shelve(tmp_path, 8, until=80.0, repeats=4))
    async with app.run_test(size=size) as pilot:
        await wait_for_text(pilot, "interrupted: its process is gone")
        await pilot.press("escape")
        text = await wait_for_text(pilot, "▶ ")
        assert "repeat 4" in next(line for line in text.splitlines() if "▶ " in line)
        assert "17 of 20 runs, 8 skipped" in text


async def test_the_phases_after_the_windows_say_what_they_do(running_session: Starter) -> None:
    app = watching(running_session(2, 4.03))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "detail: timing the parts of a step", "left")
        assert "▶ single x1" in screen_text(app) and "detail 0:0" in screen_text(app)


async def test_a_narrow_window_stacks_the_panels_and_scrolls(running_session: Starter) -> None:
    app = watching(running_session(2, 6.7))
    async with app.run_test(size=(50, 20)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        plan, now = (app.screen.query_one(f"#{name}", Panel) for name in ("plan", "now"))
        assert plan.region.width == now.region.width >= 48
        assert now.region.y >= plan.region.bottom
        for _ in range(6):
            await pilot.press("tab")
        await wait_for_text(pilot, "measured single x1")


async def test_resizing_redraws_to_the_new_size(running_session: Starter) -> None:
    app = watching(running_session(8, 6.7))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "612/700 W 1755/1980 MHz")
        await pilot.resize_terminal(80, 24)
        await wait_until(pilot, lambda: "1755" not in screen_text(app))
        assert "93%" in screen_text(app) and " 7 lost" in screen_text(app)


async def test_in_ascii_nothing_else_reaches_the_terminal(
    running_session: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    app = watching(running_session(2, 6.7))
    async with app.run_test(size=(80, 24)) as pilot:
        text = await wait_for_text(pilot, "+ single x1", "***")
        assert text.isascii(), [character for character in text if not character.isascii()]


async def test_a_panel_can_be_shown_alone(running_session: Starter) -> None:
    app = watching(running_session(16, 6.7))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "96%")
        for _ in range(5):
            await pilot.press("tab")
        await pilot.press("z")
        await wait_for_text(pilot, "612/700 W 1755/1980 MHz power cap +1", "15 lost: no longer answers")
        await pilot.press("end")
        await wait_for_text(pilot, "GPU 15  lost: no longer answers", "uncorrected")
        await pilot.press("z")
        await wait_for_text(pilot, "Samples/s: live")


async def test_quitting_a_running_session_asks_and_can_leave_it_running(running_session: Starter) -> None:
    folder = running_session(0, 6.7)
    app = watching(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("q")
        await wait_for_text(pilot, f"{folder.name} is still running", "Leave it running", "Stop it")
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(app.screen, QuestionScreen))
        await pilot.press("q")
        await wait_for_text(pilot, "Leave it running")
        await pilot.press("l")
        await wait_until(pilot, lambda: app._exit)
    assert app.return_value == 0
    assert app.parting_messages == [
        f"{folder.name} keeps running; to return: gpubench-tui attach {folder.name}"
    ]
    assert folder.is_running()


async def test_enter_on_a_question_does_nothing(running_session: Starter) -> None:
    folder = running_session(0, 6.7)
    app = watching(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("s")
        await wait_for_text(pilot, "Yes, stop it")
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert folder.is_running()


async def test_quitting_can_stop_the_session_first(running_session: Starter) -> None:
    folder = running_session(0, 6.7)
    app = watching(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("ctrl+c")
        await wait_for_text(pilot, "Stop it and quit")
        await pilot.press("up", "enter")
        await wait_until(pilot, lambda: app._exit)
    assert app.return_value == 130
    assert not folder.is_running()


async def test_detaching_leaves_it_running(running_session: Starter) -> None:
    folder = running_session(0, 6.7)
    app = watching(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running")
        await pilot.press("d")
        await wait_until(pilot, lambda: app._exit)
    assert app.return_value == 0
    assert folder.is_running()


async def test_stopping_asks_and_leads_to_the_results(running_session: Starter) -> None:
    folder = running_session(2, 6.7)
    app = watching(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("s")
        await wait_for_text(pilot, f"Stop {folder.name}?")
        await pilot.press("y")
        text = await wait_for_text(pilot, "stopped early", "■ dp", "stopped by the user, 1 of 3 runs")
        assert "dp x2: stopped by the user (after " in text
        assert isinstance(app.screen, ResultsScreen)
        await pilot.press("m")
        await wait_for_text(pilot, "stopped", "session stopped; press t")
        assert "Skip run" not in screen_text(app)
        await pilot.press("q")
        await wait_until(pilot, lambda: app._exit)
    assert app.return_value == 130


async def test_skipping_asks_and_the_session_goes_on(running_session: Starter) -> None:
    folder = running_session(2, 6.7)
    app = watching(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "▶ dp x2")
        await pilot.press("k")
        await wait_for_text(pilot, "Skip the rest of dp x2?")
        await pilot.press("y")
        await wait_for_text(pilot, "– dp x2", "skipped: skipped by the user")
        assert folder.is_running()


async def test_a_session_that_died_is_said_to_be_interrupted(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 2, until=6.7))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "interrupted: its process is gone", "✓ single")
        await pilot.press("escape")
        await wait_for_text(pilot, "interrupted", "▶ dp x2")
        await pilot.press("q")
        await wait_until(pilot, lambda: app._exit)
    assert app.return_value == 1


async def test_the_presets_are_a_key_away_once_the_session_has_ended(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 2))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        await pilot.press("escape")
        await wait_for_text(pilot, "n Presets")
        await pilot.press("n")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_a_monitor_behind_the_results_does_not_draw(
    running_session: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []
    draw = session_view.plan_list

    def counted(session: Session, width: int) -> Content:
        drawn.append(session)
        return draw(session, width)

    monkeypatch.setattr(session_view, "plan_list", counted)
    monkeypatch.setattr(session_screen, "REDRAW_SECONDS", 0.05)
    app = watching(running_session(2, 6.7))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("t")
        await wait_for_text(pilot, "so far", "✓ single")
        count = len(drawn)
        assert count
        await turns(pilot, session_screen.REDRAW_SECONDS)
        assert len(drawn) == count
        await pilot.press("m")
        await wait_until(pilot, lambda: len(drawn) > count)


async def test_the_view_can_be_held_still_while_the_session_goes_on(running_session: Starter) -> None:
    folder = running_session(2, 6.7)
    app = watching(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "▶ dp x2")
        await pilot.press("p")
        await wait_for_text(pilot, "view frozen, p resumes")
        control.skip_run(folder)
        await wait_until(pilot, lambda: monitor(app).session.current is None)
        assert "▶ dp x2" in screen_text(app) and "– dp x2" not in screen_text(app)
        control.stop_session(folder)
        await wait_for_text(pilot, "stopped", "view frozen")
        assert isinstance(app.screen, MonitorScreen)
        await pilot.press("p")
        await wait_until(pilot, lambda: isinstance(app.screen, ResultsScreen))


async def test_the_stretch_of_time_is_a_key_away(running_session: Starter) -> None:
    app = watching(running_session(2, 6.7))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "Samples/s: live")
        await pilot.press("right_square_bracket")
        await wait_for_text(pilot, "Samples/s, last 10 min: live", "Loss over steps, last 10 min: ")
        await pilot.press("right_square_bracket", "right_square_bracket")
        await wait_for_text(pilot, "Samples/s, last 1 min: live")
        await pilot.press(*["left_square_bracket"] * 3)
        await wait_for_text(pilot, "Samples/s: live")


async def test_the_log_of_each_rank_can_be_followed(running_session: Starter) -> None:
    folder = running_session(8, 20.0)
    app = watching(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "▶ ddp x8", "measured ddp x2")
        spec = monitor(app).session.runs[monitor(app).session.current or ""].spec
        folder.rank_log(spec.id, 0).write_text("\x1b[31mepoch 1\x1b[0m:  10%\repoch 1: 100%\nNCCL is fine\n")
        await pilot.press("l")
        text = await wait_for_text(pilot, "Log of rank 0: logs/", "NCCL is fine")
        assert "epoch 1: 100%" in text and "10%" not in text and "measured ddp x2" not in text
        with folder.rank_log(spec.id, 0).open("a") as file:
            file.write("and goes on\n")
        await wait_for_text(pilot, "and goes on")
        await pilot.press("l")
        await wait_for_text(pilot, "Log of rank 1: ", "this rank has printed nothing")
        await pilot.press(*["l"] * 7)
        await wait_for_text(pilot, "─Log─", "measured ddp x2")


async def test_zoom_needs_no_focus_and_tab_goes_on_to_the_next_panel(running_session: Starter) -> None:
    app = watching(running_session(2, 6.7))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "Samples/s: live")
        await pilot.press("z")
        await wait_until(pilot, lambda: "Samples/s" not in screen_text(app))
        assert "running" in screen_text(app) and "▶ dp x2" in screen_text(app)
        await pilot.press("tab", "tab")
        text = await wait_for_text(pilot, "Samples/s: live")
        assert "▶ dp x2" not in text
        await pilot.press("shift+tab")
        await wait_for_text(pilot, "window 3 of at least 5")
        await pilot.press("escape")
        await wait_for_text(pilot, "Samples/s: live", "▶ dp x2")


async def test_a_click_focuses_a_panel(running_session: Starter) -> None:
    app = watching(running_session(2, 6.7))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "Samples/s: live")
        await pilot.click("#devices")
        await wait_until(pilot, lambda: app.screen.query_one("#devices").has_focus)
        await pilot.press("z")
        await wait_until(pilot, lambda: "Samples/s" not in screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_a_rank_that_straggles_is_shown_among_all(tmp_path: Path, size: tuple[int, int]) -> None:
    folder = shelve(tmp_path, 16, straggler=11, until=22.7)
    app = watching(folder)
    async with app.run_test(size=size) as pilot:
        await wait_for_text(pilot, "interrupted: its process is gone")
        await pilot.press("escape")
        text = await wait_for_text(pilot, "Straggler: rank 11, 24.6% slower", "11! ")
        bars = app.screen.query_one("#ranks", Panel)
        assert bars.region.bottom <= app.screen.query_one("#devices", Panel).region.y
        words = bars.content.plain.replace("!", " ").split()
        assert all(str(rank) in words for rank in range(16))
        assert bars.content.plain.count("!") == 1
        assert ("Loss" in text) == (size[0] >= 110)


async def test_a_journal_that_cannot_be_read_is_said_and_tried_again(tmp_path: Path) -> None:
    recorded = shelve(tmp_path / "other", 0, until=6.7)
    folder = shelve(tmp_path / "shelf", 0)
    folder.journal.unlink()
    folder.journal.mkdir()
    with folder.hold():
        app = watching(folder)
        async with app.run_test(size=(120, 40)) as pilot:
            await wait_for_text(pilot, "journal cannot be read: Is a directory")
            folder.journal.rmdir()
            recorded.journal.rename(folder.journal)
            text = await wait_for_text(pilot, "running", "✓ single x1")
            assert "cannot be read" not in text
