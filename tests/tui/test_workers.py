"""What fails beside the event loop is said on the screen, and the app goes on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from driving.app import wait_for_text
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.data import planned_presets
from gpubench_tui.tui.workers import in_task, in_thread
from textual.app import App

TUI = Path(__file__).parents[2] / "tui"


@in_thread("counting sheep")
def count(_: App[int]) -> None:
    raise KeyError("the [b]seventh[/b]")


@in_task("adding up")
async def add(_: App[int]) -> None:
    raise ValueError(f"{'one and ' * 900}the end")


async def test_a_worker_that_fails_is_named_and_why_in_a_few_lines(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        count(app)
        add(app)
        await wait_for_text(pilot, "Counting sheep failed", "[b]seventh[/b]")
        text = await wait_for_text(pilot, "Adding up failed", "the end")
        assert "Quit" in text


async def test_a_machine_that_cannot_be_inspected_is_not_inspected_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of ideas")

    monkeypatch.setattr(planned_presets, "inspect_host", fail)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        text = await wait_for_text(pilot, "Inspecting this machine failed: RuntimeError: out of ideas")
        assert "inspecting this machine" not in text


async def test_in_a_deleted_folder_the_app_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for_text(pilot, "change to one that exists")


@pytest.mark.parametrize("path", sorted(TUI.rglob("*.py")), ids=lambda path: str(path.relative_to(TUI)))
def test_no_worker_is_started_that_would_fail_in_silence(path: Path) -> None:
    if path == TUI / "workers.py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        assert "work" not in names, f"{path}:{node.lineno}: use in_thread or in_task"
        called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
        assert called != "run_worker", f"{path}:{node.lineno}: use in_thread or in_task"
