"""The preset editor: fields, validated as one types, with the resulting plan beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widgets import Input, Static

from ...engine.host.facts import Host
from ...engine.plan.library import save
from ..data.planned_presets import PlannedPreset
from ..data.preset_edits import FIELDS, WHOLE_PRESET, EditedPreset, EditorField, edit_preset, field_values
from ..render.planned_preset import finding_lines, plan_text
from ..widgets.footer import Footer
from ..widgets.panel import Panel
from ..workers import in_task, in_thread
from .base import ClosedOnce
from .dialogs.save_as import SaveAsScreen

PAUSE_SECONDS = 0.15
"""Delay after the last key before the plan is made again."""


class FieldRow(Horizontal):
    """A field: its label, its text, and beside it the allowed values or the error."""

    class Typed(Message):
        """The text of a field has changed."""

    def __init__(self, field: EditorField, found: Sequence[str]) -> None:
        super().__init__(classes="field")
        self.field = field
        self._before = found[0] if len(found) == 1 else ""
        self._different = f"{' or '.join(found)}" if len(found) > 1 else ""

    def compose(self) -> ComposeResult:
        """Compose the label, the field, and the hint beside or below it."""
        yield Static(self.field.label, classes="label", markup=False)
        with Container(classes="entry"):
            yield Input(
                self._before,
                placeholder=self._different or self._before,
                compact=True,
                suggester=SuggestFromList(self.field.words) if self.field.words else None,
            )
            yield Static(self.field.hint, classes="remark", markup=False)

    @property
    def change(self) -> str | None:
        """Return the text if it differs from the preset; None if not."""
        typed = self.query_one(Input).value.strip()
        return typed if typed and typed != self._before else None

    def mark(self, error: str) -> None:
        """Show the error, or else the allowed values, and mark a changed field."""
        self.set_class(bool(error), "wrong")
        self.query_one(".remark", Static).update(Content(error or self.field.hint))
        star = "*" if self.change is not None else ""
        self.query_one(".label", Static).update(Content(f"{self.field.label}{star}"))

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        self.post_message(self.Typed())

    def on_descendant_focus(self) -> None:
        """Show the hint of the focused field."""
        self.add_class("typing")

    def on_descendant_blur(self) -> None:
        """Hide the hint."""
        self.remove_class("typing")


class EditorScreen(ClosedOnce[PlannedPreset | str | None]):
    """Dismissed with the edited preset to run, with the name of a saved preset, or with None."""

    CSS_PATH = "editor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        # Inside a field, Enter moves to the next field and letters are typed.
        Binding("enter,f5", "run", "Run", id="editor.run", tooltip="Run without saving"),
        Binding("w,f6", "save", "Save as", id="editor.save", tooltip="Save as your own preset"),
        Binding("down", "next", show=False, id="editor.next", tooltip="Next field"),
        Binding("up", "previous", show=False, id="editor.previous", tooltip="Previous field"),
        Binding("escape", "leave", "Back", id="editor.back", tooltip="Leave the field, then the editor"),
    ]

    class Checked(Message):
        """The plan has been made again."""

        def __init__(self, edited: EditedPreset) -> None:
            super().__init__()
            self.edited = edited

    def __init__(self, base: PlannedPreset, overrides: Sequence[str], host: Host) -> None:
        super().__init__()
        self._base = base
        self._overrides = overrides
        self._host = host
        self._edited = EditedPreset(base, {})
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        """Compose the fields and the plan beside them."""
        yield Static(self._title(), classes="headline")
        with Horizontal(id="middle"):
            with VerticalScroll(id="fields", can_focus=False) as fields:
                fields.border_title = "Parameters"
                yield from self._rows()
            yield Panel("Plan", id="plan")
        yield Footer()

    def _title(self) -> Content:
        return Content.assemble(("Edit ", "bold"), (self._base.file.name, "bold $text-accent"))

    def _rows(self) -> Iterator[FieldRow]:
        if self._base.preset is not None:
            yield from (FieldRow(field, field_values(self._base.preset, field)) for field in FIELDS)

    def on_mount(self) -> None:
        """Focus the first field."""
        self.query(Input).first().focus()
        self.call_after_refresh(self._check)

    def on_resize(self) -> None:
        """Draw the plan to the new size."""
        self.call_after_refresh(self._draw_plan)

    # Checking

    @on(FieldRow.Typed)
    def _typed(self) -> None:
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE_SECONDS, self._check)

    def _changes(self) -> dict[str, str]:
        rows = self.query(FieldRow)
        return {row.field.key: row.change for row in rows if row.change is not None}

    def _edit(self, changes: dict[str, str]) -> EditedPreset:
        return edit_preset(self._base, changes, self._overrides, self._host)

    def _check(self) -> None:
        self._check_in_thread(self._changes())

    @in_thread("planning", feed=True, exclusive=True)
    def _check_in_thread(self, changes: dict[str, str]) -> None:
        self.post_message(self.Checked(self._edit(changes)))

    @on(Checked)
    def _checked(self, message: Checked) -> None:
        self._show(message.edited)

    def _show(self, edited: EditedPreset) -> None:
        self._edited = edited
        for row in self.query(FieldRow):
            row.mark(edited.errors.get(row.field.key, ""))
        self._draw_plan()

    def _draw_plan(self) -> None:
        panel, edited = self.query_one("#plan", Panel), self._edited
        parts: list[Content] = []
        if WHOLE_PRESET in edited.errors:
            parts.append(Content.styled(edited.errors[WHOLE_PRESET], "$text-error"))
        elif edited.errors:
            parts.append(Content.styled("no plan yet: fix the marked fields", "$text-error"))
        elif edited.planned.plan is not None:
            parts += [plan_text(edited.planned.plan, panel.columns), *finding_lines(edited.planned.needs)]
        panel.show(Content("\n\n").join(parts))

    # Actions

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_next()

    def action_next(self) -> None:
        """Move to the next field."""
        self.focus_next()

    def action_previous(self) -> None:
        """Move to the previous field."""
        self.focus_previous()

    def action_leave(self) -> None:
        """Move from a field to the plan, where letters are commands; from there leave the editor."""
        if isinstance(self.focused, Input):
            self.query_one("#plan").focus()
        else:
            self.dismiss(None)

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
        if planned is None or planned.preset is None:
            return
        named = await self.app.push_screen_wait(SaveAsScreen(planned))
        if named is None:
            return
        preset = replace(planned.preset, title=named.title, group="")
        try:
            await asyncio.to_thread(save, named.file, preset)
        except OSError as error:
            self._refuse(f"The preset cannot be saved: {error}")
        else:
            self.notify(f"Saved as {named.file.path}", title="Preset", markup=False)
            self.dismiss(named.file.name)

    async def _valid(self) -> PlannedPreset | None:
        """Return the preset as edited; if it is invalid, focus the first wrong field and return None."""
        edited = await asyncio.to_thread(self._edit, self._changes())
        self._show(edited)
        for row in self.query(FieldRow):
            if row.field.key in edited.errors:
                row.query_one(Input).focus()
                self._refuse(f"Fix {row.field.label} first: see the message beside it.")
                return None
        if WHOLE_PRESET in edited.errors:
            self._refuse(edited.errors[WHOLE_PRESET])
        return None if edited.errors else edited.planned

    def _refuse(self, sentence: str) -> None:
        self.notify(sentence, severity="error", markup=False)
