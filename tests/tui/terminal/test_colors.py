from pathlib import Path

import pytest
from building.recorded import shelve
from driving.app import wait_for_text, watching
from gpubench_tui.tui.terminal.capabilities import filters_for
from gpubench_tui.tui.terminal.colors import FewColors, in_256, in_sixteen
from gpubench_tui.tui.themes import DARK, LIGHT
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.theme import Theme

MEANINGS = ("success", "warning", "error", "primary")


def numbers(text: str, behind: str) -> tuple[int | None, int | None]:
    style = in_sixteen(Style.parse(f"{text} on {behind}"))
    assert style.color is not None and style.bgcolor is not None
    return style.color.number, style.bgcolor.number


def colors(theme: Theme) -> dict[str, str]:
    found = theme.to_color_system().generate() | theme.variables
    found["highlight"] = Color.parse(theme.background or "").blend(Color.parse(theme.primary), 0.22).hex6
    return found


@pytest.mark.parametrize(("theme", "light"), [(DARK, False), (LIGHT, True)])
def test_what_a_colour_means_can_still_be_told(theme: Theme, light: bool) -> None:
    found = colors(theme)
    page, words, muted = (0, 15, 7) if not light else (15, 0, 8)
    for behind in ("background", "surface"):
        assert numbers(found["foreground"], found[behind]) == (words, page)
        assert numbers(found["muted"], found[behind]) == (muted, page)
    meant = {numbers(found[f"text-{meaning}"], found["background"])[0] for meaning in MEANINGS}
    assert len(meant) == len(MEANINGS)
    assert meant.isdisjoint({0, 7, 8, 15})


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_text_can_be_read_on_whatever_is_behind_it(theme: Theme) -> None:
    found = colors(theme)
    texts = ["foreground", "muted", "accent", "panel", *(f"text-{meaning}" for meaning in MEANINGS)]
    behind = ["background", "surface", "panel", "highlight", *(f"{meaning}-muted" for meaning in MEANINGS)]
    for text in texts:
        for each in behind:
            one, other = numbers(found[text], found[each])
            assert one != other
            assert {one, other} & {0, 15}, "one of them is black or white"


def test_the_highlighted_row_differs_from_the_others() -> None:
    for theme in (DARK, LIGHT):
        found = colors(theme)
        row, others = (numbers(found["foreground"], found[name])[1] for name in ("highlight", "background"))
        assert row != others


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("#000000", 16),
        ("#ffffff", 231),
        ("#15191d", 234),
        ("#262d34", 236),
        ("#2c3a46", 237),
        ("#7fb0d6", 110),
        ("#e07f74", 174),
        ("#808080", 244),
    ],
)
def test_the_nearest_of_256_colours_keeps_dark_greys_grey(wanted: str, number: int) -> None:
    style = in_256(Style.parse(f"bold {wanted} on {wanted}"))
    assert style.color is not None and style.color.number == number
    assert style.bgcolor is not None and style.bgcolor.number == number
    assert style.bold
    assert in_256(Style(bold=True)).color is None


def test_blanks_in_a_highlighted_row_stay_highlighted() -> None:
    style = Style.parse("#b3d4b1 on #2c3a45")
    blank, word = FewColors(in_sixteen).apply([Segment("  ", style), Segment("1 ", style)], Color(0, 0, 0))
    assert blank.style is not None and word.style is not None
    assert blank.style.bgcolor == RichColor.from_ansi(8)
    assert word.style.bgcolor == RichColor.from_ansi(10)
    (thumb,) = FewColors(in_sixteen).apply(
        [Segment(" ", Style.parse("reverse #262d34 on #15191d"))], Color(0, 0, 0)
    )
    assert thumb.style is not None and thumb.style.color == RichColor.from_ansi(8), "as in a scrollbar"


def test_only_a_terminal_of_few_colours_needs_a_filter() -> None:
    assert filters_for(unicode=True, color_system="truecolor") == []
    assert filters_for(unicode=True, color_system=None) == []
    assert len(filters_for(unicode=True, color_system="256")) == 1
    assert len(filters_for(unicode=False, color_system="standard")) == 2


@pytest.mark.parametrize(("terminal", "most"), [("xterm-16color", 15), ("xterm-256color", 255)])
async def test_a_screen_is_sent_in_the_colours_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: str, most: int
) -> None:
    monkeypatch.setenv("TERM", terminal)
    monkeypatch.delenv("COLORTERM", raising=False)
    app = watching(shelve(tmp_path, 2))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for_text(pilot, "dp on 2 devices is 1.92x")
        strips = app.screen._compositor.render_strips()
    styles = {segment.style for strip in strips for segment in strip if segment.style}
    used = [color.number for style in styles for color in (style.color, style.bgcolor) if color]
    assert None not in used
    assert len(set(used)) > 5
    assert max(number for number in used if number is not None) <= most
