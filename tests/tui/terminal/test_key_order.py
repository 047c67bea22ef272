"""Keys that arrive in one burst, as over a slow line, go where they would if they were typed slowly."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

import pytest
from building.recorded import shelve
from driving.app import screen_text, wait_for_text, wait_until
from driving.terminal import Terminal
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.screens.dialogs.name import NameScreen
from gpubench_tui.tui.terminal import key_order
from gpubench_tui.tui.terminal.key_order import KeyOrderApp
from gpubench_tui.tui.workers import in_task
from textual._xterm_parser import XTermParser
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

UP, DOWN, BACK_TAB, ESCAPE, BACKSPACE = "\x1b[A", "\x1b[B", "\x1b[Z", "\x1b", "\x7f"
BURSTS = [
    ("/batch", "Launch", ["batch"], "Large batches"),
    (f"/qx{BACKSPACE}uick\r", "Launch", ["quick"], "Quickstart"),
    (f"/q{ESCAPE}/no", "Launch", ["no"], ""),
    ("o/xylo", "Sessions", ["xylo"], "No session matches 'xylo'"),
    (f"o/beta{ESCAPE}xn{ESCAPE}", "Sessions", [""], "alpha"),
    ("oxq", "Question", [], "Delete gamma"),
    (f"o{ESCAPE}/q", "Launch", ["q"], "Quickstart"),
    ("on-new\r", "Sessions", [""], "-new"),
    ("o\rem", "Results", [], "Saved as"),
    ("o\rej?q", "Results", [], ".json"),
    ("o\r??e?", "Export", [], "Markdown"),
    (f"?{ESCAPE}{ESCAPE}o{DOWN}r", "Replay", [], "beta"),
    (f"e\t1, 2\t7{BACK_TAB}{BACK_TAB}ddp", "Editor", ["single, ddpddp"], "7"),
    (f"e{DOWN}abc{BACKSPACE}99", "Editor", ["allab99"], ""),
    (f"e{ESCAPE}wq\x15mine", "SaveAs", ["mine"], "mine"),
]
"""Keys, the screen that is open in the end, texts in fields there, and what stands on it."""


def type_at_once(app: KeyOrderApp, keys: str) -> None:
    """Have the bytes of all these keys arrive together."""
    parser = XTermParser()
    for event in [*parser.feed(keys), *parser.feed("")]:
        app.post_message(event)


def name_of(app: KeyOrderApp) -> str:
    return type(app.screen).__name__.removesuffix("Screen")


@pytest.mark.slow
async def test_every_key_of_a_burst_goes_where_it_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(key_order, "WORKER_SECONDS", 60.0)
    for name in ("alpha", "beta", "gamma"):
        shelve(tmp_path / "sessions", 1, name=name)
    app = GpubenchApp(tmp_path / "sessions")
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        for keys, screen, values, text in BURSTS:
            type_at_once(app, keys)
            await handled(pilot)
            assert name_of(app) == screen, f"{keys!r}:\n{screen_text(app)}"
            fields = [field.value for field in app.screen.query(Input)]
            assert all(value in fields for value in values), f"{keys!r}: {fields}"
            await wait_for_text(pilot, text)
            await close_all(pilot)


async def handled(pilot: Pilot[int]) -> None:
    """Wait until all keys have had their effects."""
    app = pilot.app
    await wait_until(pilot, lambda: app._turns is not None)
    await app._turns
    app._turns = None


async def close_all(pilot: Pilot[int]) -> None:
    while name_of(pilot.app) != "Launch":
        await pilot.app.pop_screen()
    await pilot.app.screen.action_clear_filter()
    await wait_until(pilot, lambda: not pilot.app._is_busy() and not pilot.app._expects_answer())


class Asking(KeyOrderApp):
    """An app whose keys start work that ends when it is told to."""

    BINDINGS: ClassVar[list[BindingType]] = [("w", "work"), ("a", "ask"), ("ctrl+c", "note('left')")]

    def __init__(self) -> None:
        super().__init__([])
        self.unicode = True
        self.goes_on = asyncio.Event()
        self.noted: list[str] = []

    def compose(self) -> ComposeResult:
        yield Input(id="field", disabled=True)

    @in_task("working")
    async def action_work(self) -> None:
        await self.goes_on.wait()
        field = self.query_one(Input)
        field.disabled = False
        field.focus()

    @in_task("asking")
    async def action_ask(self) -> None:
        self.noted.append(await self.push_screen_wait(NameScreen("Name?", "old", lambda _: "")))

    def action_note(self, word: str) -> None:
        self.noted.append(word)


async def test_the_next_key_waits_for_work_but_not_for_an_answer() -> None:
    app = Asking()
    async with app.run_test() as pilot:
        type_at_once(app, "a-new\rwtyped")
        await wait_until(pilot, lambda: app.noted == ["old-new"])
        app.goes_on.set()
        await wait_until(pilot, lambda: app.query_one(Input).value == "typed")


async def test_a_covered_screen_that_waits_for_its_next_refresh_delays_no_key() -> None:
    app = Asking()
    async with app.run_test():
        covered = app.screen
        await app.push_screen(Screen())
        covered._callbacks.append((lambda: None, app))
        assert not await app_is_busy(app)


async def app_is_busy(app: KeyOrderApp) -> bool:
    """Whether the app never comes to rest within a hundred turns of its loop."""
    for _ in range(100):
        await asyncio.sleep(0.01)
        if not app._is_busy():
            return False
    return True


@pytest.mark.parametrize(("keys", "seconds"), [("w\x03", 60.0), ("wa", 0.1)])
async def test_work_that_hangs_delays_keys_for_a_moment_and_the_key_to_leave_not_at_all(
    keys: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_order, "WORKER_SECONDS", seconds)
    app = Asking()
    async with app.run_test() as pilot:
        type_at_once(app, keys)
        await wait_until(pilot, lambda: app.noted == ["left"] or bool(app.screen.query("NameScreen Input")))


@pytest.mark.slow
def test_bursts_on_a_terminal(tmp_path: Path) -> None:
    terminal = Terminal("--sessions-dir", str(tmp_path / "sessions"))
    try:
        terminal.read_until("Quit")
        terminal.press("/quick")
        terminal.read_until(" quick")
        terminal.press(f"{ESCAPE}o{ESCAPE}/zzz")
        terminal.read_until('No preset matches "zzz"')
        terminal.press(f"{ESCAPE}oq")
        assert terminal.status() == 0
        assert b"Traceback" not in terminal.output
    finally:
        terminal.kill()
