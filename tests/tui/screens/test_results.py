"""The results screen: the page, its table's order, saving and copying it, running again, past sessions."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from pathlib import Path

import pytest
from building import recorded
from building.recorded import shelve
from building.session_process import Starter
from driving.app import SIZES, monitor, replayed, screen_text, turns, wait_for_text, wait_until, watching
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.environment import hardware
from gpubench_tui.engine.analysis.report.line import result_line
from gpubench_tui.engine.analysis.report.markdown import markdown_results
from gpubench_tui.engine.analysis.results import result as result_module
from gpubench_tui.engine.analysis.results.result import Result
from gpubench_tui.engine.analysis.trained import trained
from gpubench_tui.engine.conductor import control, same_machine
from gpubench_tui.engine.plan.preset.write import write_preset
from gpubench_tui.engine.record.events import RunFinished
from gpubench_tui.engine.record.session import Session, read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.engine.text.encoding import encode_json
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.data import start_sessions
from gpubench_tui.tui.requests import RunAgain, ShowResults
from gpubench_tui.tui.screens import results as results_screen
from gpubench_tui.tui.screens import session_screen
from gpubench_tui.tui.screens.dialogs.export import ExportScreen
from gpubench_tui.tui.screens.launch import LaunchScreen
from gpubench_tui.tui.screens.monitor import MonitorScreen
from gpubench_tui.tui.screens.results import ResultsScreen
from gpubench_tui.tui.terminal import key_order
from gpubench_tui.tui.widgets.diagnoses import DiagnosisLine, MoreDiagnoses
from gpubench_tui.tui.widgets.section import PageSection
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

pytestmark = pytest.mark.slow

SECTIONS = (
    *("table", "speedup", "curves", "phases", "communication", "devices", "published", "projection"),
    "method",
)


def rows(app: GpubenchApp) -> list[str]:
    """The table as it stands on the screen: its titles, then a line a run, single spaces."""
    lines = [" ".join(line.split()) for line in screen_text(app).splitlines()]
    start = next(place for place, line in enumerate(lines) if line.startswith("mode "))
    end = next(place for place, line in enumerate(lines[start:], start) if not line)
    return lines[start:end]


def places(app: GpubenchApp) -> list[str]:
    """Mode and devices of each row."""
    return [" ".join(line.split()[1:3]) for line in rows(app)[1:]]


@pytest.mark.parametrize("published", [True, False])
async def test_published_figures_have_a_section_where_there_are_any(
    published: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = recorded.plan
    if not published:
        monkeypatch.setattr(recorded, "plan", lambda *each: replace(plan(*each), published=()))
    app = replayed(shelve(tmp_path, 2))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "Measured 20")
        assert app.screen.query_one("#published").display == published


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gpus", [0, 2, 8, 16])
async def test_a_replay_ends_in_the_results(tmp_path: Path, gpus: int, size: tuple[int, int]) -> None:
    app = replayed(shelve(tmp_path, gpus, fail="04" if gpus == 2 else None))
    async with app.run_test(size=size) as pilot:
        text = await wait_for_text(pilot, "samples/s", "speedup", "1.00x", "Measured 20")
        assert f" on {gpus or 2} devices is " in text
        assert "skipped" in text
        assert ("✗ ddp" in text) == (gpus == 2)
        for line in text.splitlines():
            assert len(line) <= size[0]
        await pilot.press("m")
        await wait_for_text(pilot, "finished", "at its end")


async def test_the_table_can_be_seen_while_the_session_runs(running_session: Starter) -> None:
    app = watching(running_session(2, 6.7))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("t")
        text = await wait_for_text(pilot, "so far", "✓ single")
        assert "Run again" not in text and "n Presets" in text
        await pilot.press("escape")
        await wait_for_text(pilot, "running")


async def test_export_asks_for_the_format_and_says_where_it_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    folder = shelve(tmp_path / "shelf", 2)
    app = replayed(folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "1.00x")
        for keys, ending in ((["m"], "md"), (["down", "enter"], "json"), (["c"], "csv"), (["s"], "svg")):
            await pilot.press("e")
            await wait_for_text(pilot, "Save the results of", "Markdown: ", str(here)[:20])
            await pilot.press(*keys)
            path = here / f"{folder.name}.{ending}"
            await wait_until(pilot, lambda path=path: _shown_in_full(app, f"Saved as {path}"))
    cells = [cell.strip() for cell in (here / f"{folder.name}.md").read_text().split("|")]
    assert cells[cells.index("ddp") :][:3] == ["ddp", "2", "256"]
    assert json.loads((here / f"{folder.name}.json").read_text())["headline"].startswith("dp on 2 devices")
    assert len((here / f"{folder.name}.csv").read_text().splitlines()) == 6
    assert (here / f"{folder.name}.svg").read_text().startswith("<svg")


def _shown_in_full(app: GpubenchApp, text: str) -> bool:
    """Whether the text is on the screen, wrapped or not."""
    return text.replace(" ", "") in "".join(screen_text(app).split())


async def test_the_folder_can_be_typed_and_what_is_wrong_with_it_is_said_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder, there = shelve(tmp_path / "shelf", 2), Path("there")
    app = replayed(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "1.00x")
        await pilot.press("e")
        await wait_for_text(pilot, "in the folder")
        app.screen.query_one(Input).value = str(there)
        await pilot.press("tab", "enter")
        await wait_for_text(pilot, "Cannot be written: there is no such folder")
        (there / f"{folder.name}.md").mkdir(parents=True)
        await pilot.press("enter")
        await wait_for_text(pilot, "Cannot be written: Is a directory")
        (there / f"{folder.name}.md").rmdir()
        await pilot.press("enter")
        await wait_for_text(pilot, "Saved as")
        assert (there / f"{folder.name}.md").is_file()
        await pilot.press("e", "escape")
        await wait_until(pilot, lambda: not isinstance(app.screen, ExportScreen))


async def read_page(pilot: Pilot[int]) -> str:
    """All that the results say, page by page, as the keyboard reaches it."""
    page = pilot.app.screen.query_one("#page")
    await pilot.press("home")
    await wait_until(pilot, lambda: page.scroll_y == 0)
    seen = [screen_text(pilot.app)]
    while page.scroll_y < page.max_scroll_y:
        before = page.scroll_y
        await pilot.press("pagedown")
        await wait_until(pilot, lambda before=before: page.scroll_y > before)
        seen.append(screen_text(pilot.app))
    return "\n".join(seen)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("gpus", [0, 2, 8])
async def test_the_results_page_holds_everything_within_its_width(
    tmp_path: Path, gpus: int, size: tuple[int, int]
) -> None:
    app = replayed(shelve(tmp_path, gpus))
    async with app.run_test(size=size) as pilot:
        await wait_for_text(pilot, "1.00x", "Evidence")
        page = app.screen.query_one("#page")
        assert page.max_scroll_x == 0
        text = await read_page(pilot)
    titles = ("Diagnosis", "Results", "Speedup", "Curves", "Step time", "Communication", "Device util")
    assert all(f"─{title}" in text for title in titles)
    assert "severe: " in text and "next batch" in text
    assert "iiii" in text and "X exposed communication" in text and "XXX" in text
    assert "sync cost, ms (95%)" in text and "overlap" in text and "predicted, ms" in text
    assert ("below the noise" in text) == (gpus == 8)
    assert "A study of scaling, published, on 8 x NVIDIA V100:" in text
    assert "speedup (derived)" in text and "predicted sync (predicted)" in text
    assert "95% interval" in text


async def test_enter_opens_the_gravest_diagnosis_and_tab_goes_on(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 2))
    async with app.run_test(size=(80, 28)) as pilot:
        text = await wait_for_text(pilot, "severe: ", "Evidence")
        assert "Try: " not in text
        await pilot.press("enter")
        await wait_for_text(pilot, "Try: ")
        first, second = list(app.screen.query(DiagnosisLine))[:2]
        assert first.is_open and not second.is_open
        await pilot.press("tab", "enter")
        await wait_until(pilot, lambda: second.is_open)
        await pilot.press("shift+tab", "enter")
        await wait_until(pilot, lambda: not first.is_open)
        await pilot.press("end")
        page = app.screen.query_one("#page")
        await wait_until(pilot, lambda: page.scroll_y == page.max_scroll_y > 0)


async def test_each_section_is_a_tab_away(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 2))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "severe: ", "Evidence")
        for name in SECTIONS:
            section = app.screen.query_one(f"#{name}", PageSection)
            for _ in range(10):
                if section.has_focus:
                    break
                await pilot.press("tab")
            assert section.has_focus
            page = app.screen.query_one("#page").region
            await wait_until(pilot, lambda section=section, page=page: section.region.y < page.bottom - 2)


async def test_the_results_are_computed_once_whenever_they_change(
    running_session: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []
    compute = result_module.compute_result

    def noted(*given: object) -> Result:
        made = compute(*given)  # type: ignore[arg-type]
        computed.append(made.run)
        return made

    monkeypatch.setattr(result_module, "compute_result", noted)
    monkeypatch.setattr(results_screen, "REFRESH_SECONDS", 0.05)
    app = watching(running_session(2, 6.7))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("t")
        await wait_for_text(pilot, "so far", "✓ single")
        session = monitor(app).session
        every_run = list(session.runs)
        assert computed == every_run
        session.apply(recorded.sampled(session.elapsed + 1, 2))
        await pilot.press("s", "S")
        await turns(pilot, results_screen.REFRESH_SECONDS)
        assert computed == every_run, "neither a sample nor another order changes a figure"
        session.apply(
            RunFinished(at=session.elapsed, run=session.current or "", outcome="skipped", reason="enough")
        )
        await wait_until(pilot, lambda: len(computed) > len(every_run))
        await turns(pilot, results_screen.REFRESH_SECONDS)
        assert computed == 2 * every_run


async def test_a_page_that_takes_long_to_draw_is_drawn_seldom(
    running_session: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_screen, "REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(results_screen, "REST_FACTOR", 1e6)
    folder = running_session(2, 6.7)
    app = watching(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("t")
        await wait_for_text(pilot, "so far", "✓ single", "▶ dp")
        session = monitor(app).session
        session.apply(
            RunFinished(at=session.elapsed, run=session.current or "", outcome="skipped", reason="enough")
        )
        await turns(pilot, results_screen.REFRESH_SECONDS)
        assert "▶ dp" in screen_text(app)
        control.stop_session(folder)
        await wait_for_text(pilot, "stopped early", "– dp")


async def test_a_session_that_ends_behind_its_results_shows_them_once(
    running_session: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_screen, "REDRAW_SECONDS", 0.05)
    folder = running_session(2, 6.7)
    app = watching(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("t")
        await wait_for_text(pilot, "so far")
        control.stop_session(folder)
        await wait_for_text(pilot, "stopped early", "Run again")
        await pilot.press("m")
        await wait_for_text(pilot, "session stopped; press t")
        await turns(pilot, session_screen.REDRAW_SECONDS)
        assert isinstance(app.screen, MonitorScreen)


async def test_results_of_nothing_say_why_there_is_nothing(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 2, until=1.0))
    async with app.run_test(size=(80, 40)) as pilot:
        await wait_for_text(pilot, "interrupted: its process is gone", "Nothing to compare yet.")
        text = await wait_for_text(pilot, "Nothing has been measured yet.", "No run reached this")
        assert "Evidence" not in text


async def test_from_the_results_a_new_session_is_a_key_away(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 0))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "1.00x")
        await pilot.press("n")
        await wait_for_text(pilot, "Quickstart", "Plan for this machine")
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("q")
        await wait_until(pilot, lambda: app._exit)
    assert app.return_value == 0


# The table's order


async def test_s_goes_through_the_columns_and_capital_s_turns_the_order(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 2))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "1.00x")
        planned = ["single 1", "dp 2", "dp 4", "ddp 2", "ddp 4"]
        assert places(app) == planned
        await pilot.press("s")
        await wait_for_text(pilot, "mode ▲")
        assert places(app) == ["ddp 2", "ddp 4", "dp 2", "dp 4", "single 1"]
        await pilot.press("s", "s", "s")
        await wait_for_text(pilot, "samples/s ▼")
        assert places(app) == ["dp 2", "ddp 2", "single 1", "dp 4", "ddp 4"], "without figures last"
        await pilot.press("S")
        await wait_for_text(pilot, "samples/s ▲")
        assert places(app) == ["single 1", "dp 2", "ddp 2", "dp 4", "ddp 4"]
        await wait_until(pilot, lambda: bool(re.search(r"run .*ideal.*\n.*single x1 .*█", screen_text(app))))
        await pilot.press(*"sssssss")
        await wait_until(pilot, lambda: "▲" not in screen_text(app) and "▼" not in screen_text(app))
        assert places(app) == planned


async def test_a_click_on_a_title_sorts_and_a_second_one_turns_it_around(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 8))
    async with app.run_test(size=(80, 40)) as pilot:
        await wait_for_text(pilot, "1.00x")

        async def click(title: str) -> None:
            lines = screen_text(app).splitlines()
            y = next(y for y, line in enumerate(lines) if line.startswith("   mode"))
            await pilot.click(offset=(lines[y].index(title) + 1, y))

        await click("speedup")
        await wait_for_text(pilot, "speedup ▼")
        assert places(app)[:2] == ["dp 8", "ddp 8"]
        await click("speedup")
        await wait_for_text(pilot, "speedup ▲")
        assert places(app)[0] == "single 1"


async def test_the_column_sorted_by_stays_in_sight_and_so_does_the_baseline(
    tmp_path: Path,
) -> None:
    app = replayed(shelve(tmp_path, 16))
    async with app.run_test(size=(80, 40)) as pilot:
        await wait_for_text(pilot, "1.00x")
        assert "per device" not in rows(app)[0]
        await pilot.press(*"sssss")
        await wait_for_text(pilot, "per device ▼")
        assert max(map(len, screen_text(app).splitlines())) <= 80
        (baseline,) = (row for row in rows(app) if "baseline" in row)
        assert "single 1" in baseline


async def test_in_ascii_the_order_bars_and_curves_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    app = replayed(shelve(tmp_path, 8, epochs=6))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "1.00x")
        await pilot.press("s")
        await wait_for_text(pilot, "mode ^")
        text = await read_page(pilot)
    assert text.isascii()
    assert "##|" in text and "..|" in text and "test accuracy over epochs" in text


# A long page


async def test_the_table_is_in_sight_below_the_gravest_diagnoses(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 8, repeats=4))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "severe: ", "and 3 more: 2 warnings, 1 info", "✓ single", "– ddp")
        while not isinstance(app.focused, MoreDiagnoses):
            await pilot.press("tab")
        await wait_for_text(pilot, "Show more")
        await pilot.press("enter")
        await wait_for_text(pilot, "GPU 1 is held back")
        assert app.focused is app.screen.query(DiagnosisLine)[1]


async def test_j_and_k_go_from_section_to_section(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 8))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "severe: ", "Evidence")
        top = app.screen.query_one("#page").region.y
        for name in SECTIONS:
            await pilot.press("j")
            section = app.screen.query_one(f"#{name}", PageSection)
            await wait_until(pilot, lambda section=section: section.has_focus)
            if name in SECTIONS[:5]:
                await wait_until(pilot, lambda section=section: section.region.y == top)
        for _ in SECTIONS:
            await pilot.press("k")
        await wait_until(pilot, lambda: isinstance(app.focused, DiagnosisLine))


async def test_a_wide_terminal_shows_two_columns(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 8))
    async with app.run_test(size=(200, 50)) as pilot:
        text = await wait_for_text(pilot, "─Results", "─Step time breakdown", "─Communication", "─Speedup")
        assert any("─Diagnosis─" in line for line in text.splitlines())
        await pilot.resize_terminal(100, 30)
        await wait_until(pilot, lambda: "─Step time breakdown" not in screen_text(app))
        page = app.screen.query_one("#page")
        assert page.max_scroll_x == 0


# Copying


async def test_the_whole_table_goes_to_the_clipboard_in_the_order_shown(tmp_path: Path) -> None:
    folder = shelve(tmp_path, 8, epochs=3)
    app = replayed(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "1.00x")
        await pilot.press("s", "c")
        await wait_for_text(pilot, "Copied the table as Markdown, 7 rows.", "set -g set-clipboard on")
        analysis = analyse(read_session(folder.journal))
        expected = markdown_results(sorted(analysis.results, key=lambda result: result.mode))
        opening = [trained(analysis.session.plan), f"**{analysis.headline}.**"]
        opening.append(f"Measured on {hardware(analysis.session)}.")
        assert app.clipboard == "\n\n".join([*opening, "\n".join(expected)]) + "\n"
        assert "per device" in app.clipboard and "accuracy" in app.clipboard
        await pilot.press("l")
        line = result_line(analysis)
        await wait_until(pilot, lambda: app.clipboard == line)
        assert line.startswith("cifar-resnet18 fp32, 8 x H200 dp: ")


# Running again


def shelve_with_preset(root: Path) -> SessionFolder:
    """A session that can be run again on this machine."""
    folder = shelve(root, 0)
    folder = SessionFolder(folder.path.rename(root / "nightly-20270101-010203-2"))
    request = folder.request()
    plan = replace(request.plan, changes={"workload.batch": "128"})
    folder.plan.write_bytes(encode_json(replace(request, plan=plan)))
    folder.preset.write_text(write_preset(recorded.preset(0)))
    return folder


async def test_run_again_starts_the_same_preset_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[SessionFolder] = []

    def start(folder: SessionFolder) -> subprocess.Popen[bytes]:
        started.append(folder)
        return subprocess.Popen(["sleep", "60"])

    monkeypatch.setattr(start_sessions, "start_session", start)
    old = shelve_with_preset(tmp_path)
    app = replayed(old)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "1.00x")
        await pilot.press("r", "r")  # twice, as on a slow line
        await wait_until(pilot, lambda: bool(started))
        await wait_until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        (fresh,) = started
        assert fresh.path != old.path and fresh.name.startswith("nightly-2")
        assert "nightly" not in fresh.name.removeprefix("nightly-")
        assert fresh.preset.read_text() == old.preset.read_text()
        assert fresh.request().plan.changes == {"workload.batch": "128"}
        assert fresh.request().plan.runs[0].workload.model == "cifar-resnet18"
        assert app.screen.folder is fresh


async def test_what_a_session_lacks_is_measured_at_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[SessionFolder] = []

    def start(folder: SessionFolder) -> subprocess.Popen[bytes]:
        started.append(folder)
        return subprocess.Popen(["sleep", "60"])

    monkeypatch.setattr(start_sessions, "start_session", start)
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: recorded.host(0))
    monkeypatch.setattr(same_machine, "program_version", lambda: "0.1.0")
    whole, old = shelve(tmp_path, 0), shelve(tmp_path, 0)
    lines = old.journal.read_bytes().splitlines(keepends=True)
    ends = [number for number, line in enumerate(lines) if b'"outcome":"measured"' in line]
    old.journal.write_bytes(b"".join(lines[: ends[0] + 1]))
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(ShowResults(whole))
        await wait_for_text(pilot, "1.00x", "Run again")
        assert "Resume" not in screen_text(app)
        await pilot.press("escape")
        app.post_message(ShowResults(old))
        await wait_for_text(pilot, "interrupted", "u Resume")
        await pilot.press("u", "u")
        await wait_until(pilot, lambda: isinstance(app.screen, MonitorScreen))
    (fresh,) = started
    assert fresh.request().resumes == old.name
    assert fresh.earlier.read_bytes().count(b'"run taken over"') == 1


async def test_run_again_asks_first_while_a_session_uses_the_devices(
    running_session: Starter, tmp_path: Path
) -> None:
    running_session(0, 6.7)
    old = shelve_with_preset(tmp_path)
    app = replayed(old)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_for_text(pilot, "1.00x")
        await pilot.press("r")
        await wait_for_text(pilot, "would run at the same time", "Wait in the queue", "Start now")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, ResultsScreen))
    assert len(Shelf(tmp_path).all()) == 2


async def test_run_again_without_a_readable_preset_is_a_sentence(tmp_path: Path) -> None:
    folder = shelve(tmp_path, 0)
    folder.preset.write_text("title = 3")
    app = replayed(folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await wait_for_text(pilot, "1.00x")
        app.post_message(RunAgain(folder))
        await wait_for_text(pilot, "cannot be run again")


# Past sessions, and failed ones


async def test_the_results_of_a_past_session_are_read_while_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, go_on = results_screen.read_session, threading.Event()

    def slowly(journal: Path) -> Session:
        go_on.wait(20)
        return read(journal)

    monkeypatch.setattr(results_screen, "read_session", slowly)
    monkeypatch.setattr(key_order, "WORKER_SECONDS", 0.0)  # after which keys no longer wait
    folder = shelve(tmp_path, 8)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "Quickstart")
        app.post_message(ShowResults(folder))
        await wait_for_text(pilot, folder.name, "reading the journal")
        await pilot.press("s", "c", "e", "j")
        go_on.set()
        await wait_for_text(pilot, "dp on 8 devices is 7.14x", "✓ single", "severe: ")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_a_session_without_a_journal_is_a_sentence(tmp_path: Path) -> None:
    folder = shelve(tmp_path, 2)
    folder.journal.unlink()
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ShowResults(folder))
        await wait_for_text(pilot, "its journal cannot be read", "session.log is empty")


async def test_a_session_that_never_began_says_why(tmp_path: Path) -> None:
    folder = shelve(tmp_path, 2)
    folder.log.write_text("TMPDIR is full\n\n")
    screen = ResultsScreen(Session(folder.name), folder, is_over=lambda: True, unicode=True)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(screen)
        await wait_for_text(pilot, folder.name, "ended before it began: TMPDIR is full")
        assert "1970" not in screen_text(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_session_in_which_all_failed_says_so_first_and_where_the_logs_are(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    folder = shelve(tmp_path, 2, fail="0")
    app = replayed(folder)
    async with app.run_test(size=size) as pilot:
        wanted = "Failed: CUDA ran out of memory at batch 128 (all 3 runs)."
        text = await wait_for_text(pilot, wanted, "severe: ", "✗ single")
        assert text.index("Failed: ") < text.index("severe: ") < text.index("✗ single")
        assert [row.split()[4] for row in rows(app)[1:]] == [
            "failed",
            "failed",
            "skipped",
            "failed",
            "skipped",
        ]
        text = await read_page(pilot)
    assert "rank0.log in the session's" in " ".join(text.split())
    assert str(folder.path) in "".join(line.strip() for line in text.splitlines())
