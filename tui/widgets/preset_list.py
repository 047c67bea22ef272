"""The list of presets, grouped by the questions they answer; it can be filtered and selected from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ..render.preset_list import grouped_presets, matches_filter, preset_lines
from .row_list import POINTER

if TYPE_CHECKING:
    from ..data.planned_presets import PlannedPreset

TITLE = "Presets"
MARGIN = 2
"""Cells before a title: for the number of a selected preset, and for the cursor."""
LIST_LAYOUTS = ((True, True), (False, True), (True, False), (False, False))
"""Whether groups are separated by a line, and whether questions are shown; the first that fits is used."""


class PresetList(OptionList):
    """Shows names only until `show` is called, then the presets of each group below its question."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "screen.start",
            "Start",
            id="launch.start",
            tooltip="Run the selected presets one after the other, or else the highlighted one",
        ),
        Binding("space", "choose", "Select", id="launch.select", tooltip="Select or deselect this preset"),
    ]

    class SelectionChanged(Message):
        """The selection has changed."""

    def __init__(self, names: Sequence[str], *, id: str) -> None:  # noqa: A002
        self.selected: list[str] = []
        """Names of the selected presets, in the order in which they were selected."""
        self._presets: Sequence[PlannedPreset] = ()
        self._filter = ""
        self._wanted = ""
        self._texts: dict[str, list[Content]] = {}
        self._pointed: int | None = None
        self._drawn: tuple[object, ...] = ()
        super().__init__(*(Option(" " * MARGIN + name, id=name) for name in names), id=id, markup=False)
        self.border_title = TITLE

    def show(self, presets: Sequence[PlannedPreset], text: str = "") -> None:
        """Show the presets that match the text of the filter."""
        self._presets, self._filter = presets, text
        known = {planned.file.name for planned in presets}
        self.selected = [name for name in self.selected if name in known]
        self._draw()

    def unselect(self) -> None:
        """Deselect all presets."""
        self.selected = []
        self._draw()

    @property
    def current(self) -> str | None:
        """Return the name of the highlighted preset."""
        return self.highlighted_option.id if self.highlighted_option is not None else None

    def go_to(self, name: str) -> None:
        """Highlight the preset of that name as soon as it is in the list."""
        self._wanted = name
        self._draw()

    def action_choose(self) -> None:
        """Select or deselect the highlighted preset, and move to the next."""
        name = self.current
        if name is None:
            return
        if name in self.selected:
            self.selected.remove(name)
        else:
            self.selected.append(name)
        self._draw()
        move_on(self)
        self.post_message(self.SelectionChanged())

    def on_resize(self) -> None:
        """Wrap the titles to the new width."""
        if self._presets:
            self.call_after_refresh(self._draw)

    def watch_highlighted(self, highlighted: int | None) -> None:
        """Move the cursor; at the first preset, scroll to its heading."""
        for index in (self._pointed, highlighted):
            name = self.options[index].id if index is not None else None
            if index is not None and name in self._texts:
                self.replace_option_prompt_at_index(index, self._prompt(name, index == highlighted))
        self._pointed = highlighted
        super().watch_highlighted(highlighted)
        if highlighted is not None and all(option.disabled for option in self.options[:highlighted]):
            self.scroll_home(animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Say how many presets are out of sight from there."""
        super().watch_scroll_y(old_value, new_value)
        self._count_hidden()

    def _count_hidden(self) -> None:
        """Name in the title how many presets are out of sight, so that nobody takes those seen for all."""
        top = round(self.scroll_offset.y)
        bottom, line = top + self.scrollable_content_region.height, 0
        above = below = 0
        for option in self.options:
            after = line + _height(option)
            if not option.disabled:
                above += after <= top
                below += after > bottom
            line = after
        hidden = ((below, "below"), (above, "above"))
        more = next((f": {number} more {where}" for number, where in hidden if number), "")
        self.border_title = TITLE + more

    def _prompt(self, name: str, is_current: bool) -> Content:
        mark = str(self.selected.index(name) + 1) if name in self.selected else " "
        first, *rest = self._texts[name]
        head = Content.assemble((mark, "bold $text-success"), (POINTER if is_current else " ", "bold"), first)
        return Content("\n").join([head, *(Content(" " * MARGIN) + line for line in rest)])

    def _draw(self) -> None:
        region = self.scrollable_content_region
        drawn = (self._presets, self._filter, self._wanted, tuple(self.selected), region.size)
        if drawn == self._drawn or region.width <= MARGIN:  # hidden
            return
        self._drawn = drawn
        for roomy, with_questions in LIST_LAYOUTS:
            options = list(self._options_of(region.width, roomy, with_questions))
            if sum(_height(option) for option in options) <= region.height:
                break
        current, self._pointed = self.current, None
        self.set_options(options or [_no_match(self._filter)])
        places = {option.id: at for at, option in enumerate(options) if not option.disabled}
        first = next(iter(places.values()), None)
        self.highlighted = places.get(self._wanted or current, places.get(current, first))
        if self._wanted in places:
            self._wanted = ""
        self._count_hidden()

    def _options_of(self, width: int, roomy: bool, with_questions: bool) -> Iterator[Option]:
        above = ""
        titles = [planned.preset.title for planned in self._presets if planned.preset is not None]
        for group, presets in grouped_presets(self._presets).items():
            members = [planned for planned in presets if matches_filter(planned, self._filter)]
            if not members:
                continue
            yield Option(Content(above + "\n".join(textwrap.wrap(group, width))), disabled=True)
            above = "\n" * roomy
            for planned in members:
                name = planned.file.name
                self._texts[name] = preset_lines(
                    planned,
                    width - MARGIN,
                    with_questions,
                    group,
                    with_name=planned.preset is not None and titles.count(planned.preset.title) > 1,
                )
                yield Option(self._prompt(name, False), id=name)


def move_on(options: OptionList) -> None:
    """Move to the next option, if there is one."""
    at = options.highlighted
    following = range(at + 1, options.option_count) if at is not None else ()
    options.highlighted = next((place for place in following if not options.options[place].disabled), at)


def _height(option: Option) -> int:
    return str(option.prompt).count("\n") + 1


def _no_match(text: str) -> Option:
    return Option(Content(f'No preset matches "{text}".\nEscape clears the filter.'), disabled=True)
