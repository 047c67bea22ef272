"""What is sent to the terminal: only what changes, and always all of that."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from building.recorded import shelve
from driving.app import screen_text, wait_for_text, wait_until
from gpubench_tui.tui.app import GpubenchApp, Watched
from gpubench_tui.tui.terminal.output import Shown
from textual.drivers.headless_driver import HeadlessDriver

STYLES = ("", "1;38;2;200;100;50", "38;2;1;2;3;48;2;9;9;9")
PIECES = re.compile(
    r"\x1b\[(\d+);(\d+)H|\x1b\[(\d+)C|\x1b\[([\d;]*)m|([^\x00-\x1f])|\n|\x07|\x1b\[\?\d+[hl]"
    r"|\x1b\].*?(?:\x07|\x1b\\)"
)


class Picture:
    """A terminal, as far as updates need one."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], tuple[str, str]] = {}
        self.style = ""

    def take(self, data: str) -> None:
        row = column = 1
        position = 0
        for piece in PIECES.finditer(data):
            assert piece.start() == position, data[position : position + 40]
            position = piece.end()
            to_row, to_column, forward, style, character = piece.groups()
            if to_row:
                row, column = int(to_row), int(to_column)
            elif forward:
                column += int(forward)
            elif style is not None:
                self.style = style.removeprefix("0;").removeprefix("0") if style else ""
            elif character:
                self.cells[row, column] = (character, self.style)
                column += 1
        assert position == len(data)

    def text(self, width: int, height: int) -> str:
        lines = (
            "".join(self.cells.get((row, column), (" ", ""))[0] for column in range(1, width + 1))
            for row in range(1, height + 1)
        )
        return "\n".join(line.rstrip() for line in lines)


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
    plain, quiet, shown = Picture(), Picture(), Shown()
    for _ in range(50):
        update = an_update(rng)
        plain.take(update)
        quiet.take(shown.changes(update))
        assert quiet.cells == plain.cells and quiet.style == ""


def test_what_stands_there_is_not_sent_again() -> None:
    shown = Shown()
    update = "\x1b[3;5H\x1b[1mGPU 0  97% 612 W  61 C\x1b[0m\n"
    assert shown.changes(update) == "\x1b[3;5H\x1b[1mGPU 0  97% 612 W  61 C\x1b[0m"
    assert shown.changes(update) == ""
    changed = update.replace("97%", "98%").replace("61 C", "62 C")
    assert shown.changes(changed) == "\x1b[3;13H\x1b[1m8\x1b[10C2\x1b[0m"


def test_what_a_terminal_has_lost_is_sent_again() -> None:
    shown = Shown()
    update = "\x1b[1;1Habc\n\x1b[2;1Hdef"
    first = shown.changes(update)
    shown.forget()
    assert shown.changes(update) == first


def test_wide_characters_are_sent_each_time_and_do_not_shift_what_follows() -> None:
    shown = Shown()
    update = "\x1b[1;1Hab中\x1b[1mcd\x1b[0m"
    assert shown.changes(update) == update
    assert shown.changes(update) == "\x1b[1;1Hab中"
    assert shown.changes("\x1b[1;5H\x1b[1mcx\x1b[0m") == "\x1b[1;6H\x1b[1mx\x1b[0m"


def test_an_update_that_is_not_understood_is_sent_as_it_is() -> None:
    shown = Shown()
    plain, linked = "\x1b[1;1Habc", "\x1b[1;1H\x1b]8;;http://a\x1b\\abc\x1b]8;;\x1b\\"
    shown.changes(plain)
    assert shown.changes(linked) == linked
    assert shown.changes(plain) == plain


class Recording(HeadlessDriver):
    """Keeps what is written, as a terminal would show it."""

    picture = Picture()

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        Recording.picture.take(data)


async def test_the_terminal_shows_what_the_app_drew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textual.drivers.headless_driver.HeadlessDriver", Recording)
    monkeypatch.setattr("gpubench_tui.tui.app.leave_when_hung_up", lambda _: None)
    monkeypatch.setattr(Recording, "picture", Picture())
    app = GpubenchApp(tmp_path, watched=Watched(shelve(tmp_path, 8), 4.0))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "replay", "Samples/s: live")
        for keys in ("tab", "t", "escape", "question_mark", "escape", "z", "z"):
            await pilot.press(keys)
            await wait_until(pilot, lambda: Recording.picture.text(120, 40) == screen_text(app), 5.0)
        Recording.picture.cells.clear()
        await pilot.resize_terminal(90, 30)
        await wait_until(pilot, lambda: Recording.picture.text(90, 30) == screen_text(app), 5.0)
