"""The presets as a list, under the questions they answer; a filter narrows it, Space chooses several."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

if TYPE_CHECKING:
    from ..data.planned_presets import PlannedPreset

YOURS = "Yours"
MARGIN, POINTER = 2, ">"
"""Cells before a title: for the number of one that is selected, and for the sign of the one under the cursor,
whose background alone would be lost on a terminal without colours."""
LAYOUTS = ((True, True), (False, True), (True, False), (False, False))
"""Whether there is a line between groups, and each preset's question; the first that fits is taken."""


class PresetList(OptionList):
    """Names at first; once `show` was called the presets of each group below its question."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "screen.start",
            "Start",
            id="launch.start",
            tooltip="Run what is selected, one after the other; else the preset under the cursor",
        ),
        Binding(
            "space", "choose", "Select", id="launch.select", tooltip="Select this preset too, or no longer"
        ),
    ]

    class SelectionChanged(Message):
        """What is selected has changed."""

    def __init__(self, names: Sequence[str], *, id: str) -> None:  # noqa: A002
        self.selected: list[str] = []
        """Names of the presets selected, in the order of their selection."""
        self._presets: Sequence[PlannedPreset] = ()
        self._filter = ""
        self._wanted = ""
        self._texts: dict[str, list[Content]] = {}
        self._pointed: int | None = None
        self._drawn: tuple[object, ...] = ()
        super().__init__(*(Option(" " * MARGIN + name, id=name) for name in names), id=id, markup=False)

    def show(self, presets: Sequence[PlannedPreset], text: str = "") -> None:
        """Show those presets that the filter's text leaves."""
        self._presets, self._filter = presets, text
        known = {planned.file.name for planned in presets}
        self.selected = [name for name in self.selected if name in known]
        self._draw()

    def unselect(self) -> None:
        """Select none."""
        self.selected = []
        self._draw()

    @property
    def current(self) -> str | None:
        """The name of the preset under the cursor."""
        return self.highlighted_option.id if self.highlighted_option is not None else None

    def go_to(self, name: str) -> None:
        """Put the cursor on the preset of that name, as soon as it is known."""
        self._wanted = name
        self._draw()

    def action_choose(self) -> None:
        """Select the preset under the cursor, or no longer."""
        name = self.current
        if name is None:
            return
        if name in self.selected:
            self.selected.remove(name)
        else:
            self.selected.append(name)
        self._draw()
        self.post_message(self.SelectionChanged())

    def on_resize(self) -> None:
        """Titles are wrapped to the width there is."""
        if self._presets:
            self.call_after_refresh(self._draw)

    def watch_highlighted(self, highlighted: int | None) -> None:
        """The cursor has its sign; the first preset's heading is shown with it."""
        for index in (self._pointed, highlighted):
            name = self.options[index].id if index is not None else None
            if index is not None and name in self._texts:
                self.replace_option_prompt_at_index(index, self._prompt(name, index == highlighted))
        self._pointed = highlighted
        super().watch_highlighted(highlighted)
        if highlighted is not None and all(option.disabled for option in self.options[:highlighted]):
            self.scroll_home(animate=False)

    def _prompt(self, name: str, is_current: bool) -> Content:
        mark = str(self.selected.index(name) + 1) if name in self.selected else " "
        first, *rest = self._texts[name]
        head = Content.assemble((mark, "bold $text-success"), (POINTER if is_current else " ", "bold"), first)
        return Content("\n").join([head, *(Content(" " * MARGIN) + line for line in rest)])

    def _draw(self) -> None:
        region = self.scrollable_content_region
        drawn = (self._presets, self._filter, self._wanted, tuple(self.selected), region.size)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        for roomy, with_questions in LAYOUTS:
            options = list(self._options_of(region.width, roomy, with_questions))
            if sum(_height(option) for option in options) <= region.height:
                break
        current, self._pointed = self.current, None
        self.set_options(options or [_nothing(self._filter)])
        places = {option.id: at for at, option in enumerate(options) if not option.disabled}
        first = next(iter(places.values()), None)
        self.highlighted = places.get(self._wanted or current, places.get(current, first))
        if self._wanted in places:
            self._wanted = ""

    def _options_of(self, width: int, roomy: bool, with_questions: bool) -> Iterator[Option]:
        above = ""
        for group, presets in _grouped(self._presets).items():
            members = [planned for planned in presets if _matches(planned, self._filter)]
            if not members:
                continue
            yield Option(Content(above + "\n".join(textwrap.wrap(group, width))), disabled=True)
            above = "\n" * roomy
            for planned in members:
                name = planned.file.name
                self._texts[name] = _lines(planned, width - MARGIN, with_questions, group)
                yield Option(self._prompt(name, False), id=name)


def _grouped(presets: Sequence[PlannedPreset]) -> dict[str, list[PlannedPreset]]:
    """The presets under their questions; those of the user that name none come last."""
    groups: dict[str, list[PlannedPreset]] = {}
    for planned in sorted(presets, key=lambda planned: _group(planned) == YOURS):
        groups.setdefault(_group(planned), []).append(planned)
    return groups


def _group(planned: PlannedPreset) -> str:
    return (planned.preset.group if planned.preset is not None else "") or YOURS


def _lines(planned: PlannedPreset, width: int, with_question: bool, group: str) -> list[Content]:
    if planned.preset is None:
        return [Content(planned.file.name), Content.styled("cannot be used", "$text-error")]
    title = planned.preset.title + ("  (yours)" if planned.file.own and group != YOURS else "")
    lines = [Content(line) for line in textwrap.wrap(title, width) or [planned.file.name]]
    if with_question and planned.preset.question != group:
        lines += [Content.styled(line, "$muted") for line in textwrap.wrap(planned.preset.question, width)]
    return lines


def _matches(planned: PlannedPreset, text: str) -> bool:
    """Whether each word of the text is in the name, title, question or models of the preset."""
    preset = planned.preset
    said = [planned.file.name]
    if preset is not None:
        workloads = preset.workloads.values() or [preset.workload]
        said += [preset.title, preset.question, preset.group, *(workload.model for workload in workloads)]
    searched = " ".join(said).lower()
    return all(word in searched for word in text.lower().split())


def _height(option: Option) -> int:
    return str(option.prompt).count("\n") + 1


def _nothing(text: str) -> Option:
    return Option(Content(f'No preset fits "{text}":\nEscape clears the filter.'), disabled=True)


class FilterField(Input):
    """One line; Enter and Down go on to the list, Escape ends the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,enter", "screen.leave_filter", "To the list", id="filter.leave", tooltip="To the list"),
        Binding(
            "escape",
            "screen.clear_filter",
            "Clear",
            id="filter.clear",
            tooltip="End the filter; show all again",
        ),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(placeholder="name, question or model", compact=True, id=id)
