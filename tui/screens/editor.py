"""The preset editor: a field for each key, checked as one types, with the resulting plan beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from ...engine.host.facts import Host
from ...engine.plan.pace import Pace
from ...engine.plan.preset.library import save
from ..data.editor_fields import editor_fields, shown_values
from ..data.planned_presets import NO_PACES, PlannedPreset
from ..data.preset_edits import WHOLE_PRESET, EditedPreset, edit_preset
from ..render.planned_preset import finding_lines, plan_text
from ..widgets.field_list import FieldInput, FieldList, lines_about
from ..widgets.filter_field import FilterField
from ..widgets.footer import Footer
from ..widgets.panel import Panel
from ..workers import in_task, in_thread
from .base import ClosedOnce, HoldsEdits
from .dialogs.question import drop_question
from .dialogs.save_as import SaveAsScreen

PAUSE_SECONDS = 0.15
"""Delay after the last key before the plan is made again."""


class EditorScreen(HoldsEdits, ClosedOnce[PlannedPreset | str | None]):
    """Dismissed with the edited preset to run, with the name of a saved preset, or with None."""

    CSS_PATH = "editor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        # Inside a field, Enter moves to the next field and letters are typed.
        Binding("enter,f5", "run", "Run", id="editor.run", tooltip="Run without saving"),
        Binding("w,f6", "save", "Save as", id="editor.save", tooltip="Save as your own preset"),
        Binding(
            "slash,f3", "filter", "Find", id="editor.search", tooltip="Search the keys by name or meaning"
        ),
        Binding("down,tab", "move(1)", show=False, id="editor.next", tooltip="Next field"),
        Binding("up,shift+tab", "move(-1)", show=False, id="editor.previous", tooltip="Previous field"),
        Binding("pagedown", "move_group(1)", show=False, id="editor.next_group", tooltip="Next group"),
        Binding("pageup", "move_group(-1)", show=False, id="editor.previous_group", tooltip="Previous group"),
        Binding("escape", "leave", "Back", id="editor.back", tooltip="Leave the field, then the editor"),
    ]

    class Checked(Message):
        """The plan has been made again."""

        def __init__(self, edited: EditedPreset) -> None:
            super().__init__()
            self.edited = edited

    def __init__(
        self, base: PlannedPreset, overrides: Sequence[str], host: Host, paces: Mapping[str, Pace] = NO_PACES
    ) -> None:
        super().__init__()
        assert base.preset is not None
        self._base = base
        self._overrides = overrides
        self._host = host
        self._paces = paces
        self._edited = EditedPreset(base, {})
        self._fields = editor_fields(base.preset)
        self._before = shown_values(base.preset, self._fields)
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        """Compose the fields, the plan beside them, and the meaning of the current field below."""
        yield Static(
            Content.assemble(("Edit ", "bold"), (self._base.file.name, "bold $text-accent")),
            classes="headline",
        )
        with Horizontal(id="middle"):
            fields = FieldList(self._fields, id="fields")
            fields.border_title = "Parameters"
            yield fields
            yield Panel("Plan", id="plan")
        meaning = Panel("Meaning", id="meaning")
        meaning.can_focus = False
        yield meaning
        yield Footer()

    def on_mount(self) -> None:
        """Focus the first field, at once: the next key may be here already."""
        self.set_focus(self._list.input)
        self._show(self._edited)
        self.call_after_refresh(self._check)

    def on_resize(self) -> None:
        """Draw the plan to the new size."""
        self.call_after_refresh(self._draw_plan)

    @property
    def _list(self) -> FieldList:
        return self.query_one(FieldList)

    # Checking

    @on(FieldList.Typed)
    def _typed(self) -> None:
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE_SECONDS, self._check)

    def _edit(self, changes: dict[str, str]) -> EditedPreset:
        return edit_preset(self._base, changes, self._overrides, self._host, self._paces)

    def _check(self) -> None:
        self._check_in_thread(self._list.changes)

    @in_thread("planning", feed=True, exclusive=True)
    def _check_in_thread(self, changes: dict[str, str]) -> None:
        self.post_message(self.Checked(self._edit(changes)))

    @on(Checked)
    def _checked(self, message: Checked) -> None:
        self._show(message.edited)

    def _show(self, edited: EditedPreset) -> None:
        self._edited = edited
        preset = edited.planned.preset
        values = self._before if preset is None else shown_values(preset, self._fields)
        self._list.show(self._before, values, edited.errors)
        self._draw_meaning()
        self._draw_plan()

    @on(FieldList.Moved)
    def _draw_meaning(self) -> None:
        field, panel = self._list.current, self.query_one("#meaning", Panel)
        error = self._edited.errors.get(field.key, "")
        panel.set_title(field.key)
        panel.show(Content("\n").join(lines_about(field, self._before[field.key], error)))

    def _draw_plan(self) -> None:
        panel, edited = self.query_one("#plan", Panel), self._edited
        parts: list[Content] = []
        if edited.errors:
            parts = [Content.styled("no plan yet: fix the marked fields", "$text-error")]
            if WHOLE_PRESET in edited.errors:
                parts = []
            parts += [
                Content.styled(f"{key}: {sentence}" if key else sentence, "$text-error")
                for key, sentence in edited.errors.items()
            ]
        elif edited.planned.plan is not None:
            parts = [plan_text(edited.planned.plan, panel.columns), *finding_lines(edited.planned.needs)]
        panel.show(Content("\n\n").join(parts))

    # Actions

    @on(Input.Submitted, "FieldInput")
    def _submitted(self) -> None:
        self.action_move(1)

    def action_move(self, by: int) -> None:
        """Move that many fields down, or up if negative; from the plan to the current field."""
        if isinstance(self.focused, FieldInput):
            self._list.move(by)
        else:
            self._list.input.focus()

    def action_move_group(self, by: int) -> None:
        """Move to the next group, or to the one before if `by` is negative."""
        self._list.move_group(by)

    async def action_filter(self) -> None:
        """Show the field for a search and move to it."""
        if not self.query("#filter"):
            await self.mount(FilterField("key or meaning", id="filter"), before="#middle")
        self.query_one("#filter").focus()

    @on(Input.Changed, "#filter")
    def _search(self, message: Input.Changed) -> None:
        self._list.search(message.value)

    def action_leave_filter(self) -> None:
        """Move from the search to the fields."""
        self._list.input.focus()

    async def action_clear_filter(self) -> None:
        """Clear the search and show all fields."""
        self._list.search("")
        self._list.input.focus()
        await self.query("#filter").remove()

    def action_leave(self) -> None:
        """Move from a field to the plan, where letters are commands; from there leave the editor."""
        if isinstance(self.focused, Input):
            self.query_one("#plan").focus()
        elif self.has_edits:
            self._ask_to_leave(quitting=False)
        else:
            self.dismiss(None)

    @property
    def has_edits(self) -> bool:
        """Return whether a field differs from the preset."""
        return bool(self._list.changes)

    def asks_before_quitting(self) -> bool:
        """Ask whether to drop the edits, if there are any."""
        if self.has_edits:
            self._ask_to_leave(quitting=True)
        return self.has_edits

    @in_task("leaving the editor")
    async def _ask_to_leave(self, quitting: bool) -> None:
        question = drop_question(len(self._list.changes), self._base.file.name)
        answer = await self.app.push_screen_wait(question)
        if answer == "save":
            self.action_save()
        elif answer == "drop":
            self.dismiss(None)
            if quitting:
                self.app.exit(0)

    @in_task("starting the session")
    async def action_run(self) -> None:
        """Run the edited preset, if it is valid."""
        if (planned := await self._valid()) is not None:
            if planned.obstacle:
                self._refuse(planned.obstacle)
            else:
                self.dismiss(planned)

    @in_task("saving the preset")
    async def action_save(self) -> None:
        """Ask for a name and save the edited preset under it."""
        planned = await self._valid()
        if planned is None or planned.whole is None:
            return
        named = await self.app.push_screen_wait(SaveAsScreen(planned))
        if named is None:
            return
        preset = replace(planned.whole, title=named.title, group="")
        try:
            await asyncio.to_thread(save, named.file, preset)
        except OSError as error:
            self._refuse(f"The preset cannot be saved: {error}")
        else:
            self.notify(f"Saved as {named.file.path}", title="Preset", markup=False)
            self.dismiss(named.file.name)

    async def _valid(self) -> PlannedPreset | None:
        """Return the preset as edited; if it is invalid, focus the first wrong field and return None."""
        edited = await asyncio.to_thread(self._edit, self._list.changes)
        self._show(edited)
        for field in self._fields:
            if field.key in edited.errors:
                if self.query("#filter"):
                    await self.action_clear_filter()
                self._list.go_to(field.key)
                self._list.input.focus()
                self._refuse(f"Fix {field.key} first: {edited.errors[field.key]}")
                return None
        if WHOLE_PRESET in edited.errors:
            self._refuse(edited.errors[WHOLE_PRESET])
        return None if edited.errors else edited.planned

    def _refuse(self, sentence: str) -> None:
        self.notify(sentence, severity="error", markup=False)
