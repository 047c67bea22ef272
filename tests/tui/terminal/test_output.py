"""What is sent to the terminal: only what changes, and always all of that."""

from __future__ import annotations

import random
from pathlib import Path

import pyte
import pytest
from building.recorded import shelve
from driving.app import replayed, screen_text, wait_for_text, wait_until, watching
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.terminal.output import DifferentialApp, ScreenCells
from textual.drivers.headless_driver import HeadlessDriver
from textual.events import Resize

STYLES = ("", "1;38;2;200;100;50", "38;2;1;2;3;48;2;9;9;9")


class Referee:
    """An independent terminal, pyte's, that shows what it is sent."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self._screen)

    def take(self, data: str) -> None:
        self._stream.feed(data)

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(columns=columns, lines=lines)
        self._screen.reset()

    @property
    def cells(self) -> list[list[object]]:
        """Every character with its colours and attributes."""
        columns, lines = range(self._screen.columns), range(self._screen.lines)
        return [[self._screen.buffer[line][column] for column in columns] for line in lines]

    @property
    def style_is_reset(self) -> bool:
        return self._screen.cursor.attrs == pyte.Screen(1, 1).cursor.attrs

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)


def an_update(rng: random.Random) -> str:
    parts = []
    for _ in range(rng.randint(1, 6)):
        parts.append(f"\x1b[{rng.randint(1, 5)};{rng.randint(1, 20)}H")
        for _ in range(rng.randint(1, 3)):
            text = "".join(rng.choice("ab ⡇") for _ in range(rng.randint(1, 12)))
            style = rng.choice(STYLES)
            parts.append(f"\x1b[{style}m{text}\x1b[0m" if style else text)
        parts.append("\n")
    return "".join(parts)


@pytest.mark.parametrize("seed", range(20))
def test_the_terminal_ends_up_with_the_same_cells(seed: int) -> None:
    rng = random.Random(seed)
    plain, reduced, cells = Referee(), Referee(), ScreenCells()
    for _ in range(50):
        update = an_update(rng)
        plain.take(update)
        reduced.take(cells.diff(update))
        assert reduced.cells == plain.cells and reduced.style_is_reset


def test_what_stands_there_is_not_sent_again() -> None:
    cells = ScreenCells()
    update = "\x1b[3;5H\x1b[1mGPU 0  97% 612 W  61 C\x1b[0m\n"
    assert cells.diff(update) == "\x1b[3;5H\x1b[1mGPU 0  97% 612 W  61 C\x1b[0m"
    assert cells.diff(update) == ""
    changed = update.replace("97%", "98%").replace("61 C", "62 C")
    assert cells.diff(changed) == "\x1b[3;13H\x1b[1m8\x1b[10C2\x1b[0m"


def test_what_a_terminal_has_lost_is_sent_again() -> None:
    cells = ScreenCells()
    update = "\x1b[1;1Habc\n\x1b[2;1Hdef"
    first = cells.diff(update)
    cells.invalidate()
    assert cells.diff(update) == first


def test_wide_characters_are_sent_each_time_and_do_not_shift_what_follows() -> None:
    cells = ScreenCells()
    update = "\x1b[1;1Hab中\x1b[1mcd\x1b[0m"
    assert cells.diff(update) == update
    assert cells.diff(update) == "\x1b[1;1Hab中"
    assert cells.diff("\x1b[1;5H\x1b[1mcx\x1b[0m") == "\x1b[1;6H\x1b[1mx\x1b[0m"


def test_an_update_that_is_not_understood_is_sent_as_it_is() -> None:
    cells = ScreenCells()
    plain, linked = "\x1b[1;1Habc", "\x1b[1;1H\x1b]8;;http://a\x1b\\abc\x1b]8;;\x1b\\"
    cells.diff(plain)
    assert cells.diff(linked) == linked
    assert cells.diff(plain) == plain


class Recording(HeadlessDriver):
    """Keeps what is written, as a terminal would show it."""

    terminal = Referee(120, 40)

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        Recording.terminal.take(data)


@pytest.mark.slow
async def test_the_terminal_shows_what_the_app_drew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textual.drivers.headless_driver.HeadlessDriver", Recording)
    monkeypatch.setattr("gpubench_tui.tui.app.exit_on_hangup", lambda *_: None)
    monkeypatch.setattr(Recording, "terminal", Referee(120, 40))
    app = watching(shelve(tmp_path, 8), 4.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "replay", "Samples/s: live")
        for keys in ("tab", "t", "escape", "question_mark", "escape", "z", "z"):
            await pilot.press(keys)
            await wait_until(pilot, lambda: Recording.terminal.text() == screen_text(app))
        Recording.terminal.resize(90, 30)
        await pilot.resize_terminal(90, 30)
        await wait_until(pilot, lambda: Recording.terminal.text() == screen_text(app))


async def test_what_is_drawn_while_the_terminal_is_resized_is_drawn_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resized(app: GpubenchApp, event: Resize) -> None:
        """The app hears of it before its screen, which draws once more in its old size."""
        on_resize(app, event)
        app._display(app.screen, app.screen._compositor.render_update(full=True))

    on_resize = DifferentialApp.on_resize
    monkeypatch.setattr(DifferentialApp, "on_resize", resized)
    monkeypatch.setattr("textual.drivers.headless_driver.HeadlessDriver", Recording)
    monkeypatch.setattr("gpubench_tui.tui.app.exit_on_hangup", lambda *_: None)
    monkeypatch.setattr(Recording, "terminal", Referee(120, 40))
    app = replayed(shelve(tmp_path, 2))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "Diagnosis", "Results")
        await wait_until(pilot, lambda: Recording.terminal.text() == screen_text(app))
        Recording.terminal.resize(90, 30)
        await pilot.resize_terminal(90, 30)
        await wait_until(pilot, lambda: Recording.terminal.text() == screen_text(app))
