"""The compare screen: two sessions or more side by side, kept as Markdown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from building import recorded
from driving.app import SIZES, screen_text, wait_for_text, wait_until
from gpubench_tui.engine.record import events
from gpubench_tui.engine.record.events import Event
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.requests import ShowComparison
from gpubench_tui.tui.screens.compare import CompareScreen
from gpubench_tui.tui.screens.launch import LaunchScreen
from msgspec.structs import replace


def shelve(root: Path, name: str, gpus: int = 2, slower: float = 1.0, torch: str = "2.13.0") -> SessionFolder:
    """A session whose windows took so many times as long."""

    def changed(event: Event) -> Event:
        if isinstance(event, events.Window):
            return replace(event, seconds=event.seconds * slower)
        if isinstance(event, events.SessionStarted):
            return replace(
                event, host=replace(event.host, software=replace(event.host.software, torch=torch))
            )
        return event

    shelf = Shelf(root)
    folder = shelf.create(name, recorded.plan(gpus), recorded.host(gpus), "")
    journal = Journal(folder.journal)
    for event in recorded.session_events(gpus):
        journal.append(changed(event))
    journal.close()
    return shelf.rename(folder, name)


@pytest.mark.parametrize("size", SIZES)
async def test_two_sessions_run_by_run(tmp_path: Path, size: tuple[int, int]) -> None:
    folders = [shelve(tmp_path, "before"), shelve(tmp_path, "after", slower=1.2, torch="2.14.0")]
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        app.post_message(ShowComparison(folders))
        text = await wait_for_text(pilot, "Compare  after against before", "single x1", "0.83x", "worse")
        assert "A is before, 2027-01-15" in text and "B is after" in text
        assert "0.78x to 0.89x" in text and "dp x4" not in text
        app.screen.query_one("#comparison").scroll_end(animate=False)
        await wait_for_text(pilot, "torch: 2.14.0 against 2.13.0")


async def test_more_sessions_in_one_table(tmp_path: Path) -> None:
    folders = [shelve(tmp_path, "a"), shelve(tmp_path, "b", slower=0.8), shelve(tmp_path, "c", gpus=8)]
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 50)) as pilot:
        app.post_message(ShowComparison(folders))
        text = await wait_for_text(pilot, "Compare  b and c against a", "1.25x better", "C / A")
        assert "C is c, 2027-01-15 08:00, bench01: 8 x NVIDIA H200" in text
        assert "95% interval of C / A" in text
        assert "C: GPU 2-7: NVIDIA H200" in text
        assert "only in c and not in a: dp x8; dp x16; ddp x8; ddp x16" in text
        await pilot.resize_terminal(70, 24)
        await wait_until(pilot, lambda: "95% interval of" not in screen_text(app))
        assert "1.25x better" in screen_text(app)
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_it_is_copied_and_saved_as_markdown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [shelve(tmp_path / "shelf", "before"), shelve(tmp_path / "shelf", "after", slower=1.2)]
    monkeypatch.chdir(tmp_path)
    app = GpubenchApp(tmp_path / "shelf")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.post_message(ShowComparison(folders))
        await wait_for_text(pilot, "0.83x", "Export", "Copy")
        await pilot.press("c", "e")
        await wait_for_text(pilot, "Copied as Markdown", "Saved as")
        page = (tmp_path / "after-against-before.md").read_text()
        assert page.startswith("# after against before\n")
        assert app.clipboard == page


async def test_sessions_without_a_run_in_common_say_so(tmp_path: Path) -> None:
    folders = [shelve(tmp_path, "a"), shelve(tmp_path, "b")]
    content = folders[1].journal.read_bytes().replace(b'"cifar-resnet18"', b'"vit-small"')
    folders[1].journal.write_bytes(content)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(ShowComparison(folders))
        await wait_for_text(pilot, "no run in common", "only in b: single x1")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_session_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    folders = [shelve(tmp_path, "a"), shelve(tmp_path, "b")]
    folders[1].journal.chmod(0)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(ShowComparison(folders))
        await wait_for_text(pilot, "b cannot be read: Permission denied.")


async def test_a_session_that_is_gone_is_named(tmp_path: Path) -> None:
    folders = [shelve(tmp_path, "a"), shelve(tmp_path, "b")]
    Shelf(tmp_path).delete(folders[1])
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(ShowComparison(folders))
        await wait_for_text(pilot, "b cannot be read: No such file or directory.")
        assert isinstance(app.screen, CompareScreen)
        assert "Export" not in screen_text(app)
