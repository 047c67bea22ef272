"""Dialog that asks for the name of an edited preset; confirms before it replaces another."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ....engine.plan.preset.library import PresetFile, own_file
from ...data.planned_presets import PlannedPreset
from ..base import ClosedOnce


class NewPreset(NamedTuple):
    """File and title of the preset to save."""

    file: PresetFile
    title: str


class SaveAsScreen(ModalScreen[NewPreset | None], ClosedOnce[NewPreset | None]):
    """Dismissed with file and title, or None if cancelled."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="save.cancel", tooltip="Close without saving")
    ]

    def __init__(self, planned: PlannedPreset) -> None:
        super().__init__()
        title = planned.preset.title if planned.preset is not None else planned.file.name
        self._title = title if planned.file.own else f"My {planned.file.name}"
        self._confirmed = ""

    def compose(self) -> ComposeResult:
        """Compose the field, and below it the path or the error."""
        with Vertical(classes="box"):
            yield Static("Save as your own preset, named:", markup=False)
            yield Input(self._title, compact=True)
            yield Static(id="place", markup=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._confirmed = ""
        self._say(self._named())

    def _named(self) -> NewPreset | str:
        """Return file and title, or the error in the name."""
        title = self.query_one(Input).value.strip()
        try:
            return NewPreset(own_file(title), title)
        except ValueError as error:
            return str(error)

    def _say(self, named: NewPreset | str) -> None:
        place = self.query_one("#place", Static)
        if isinstance(named, str):
            place.update(Content.styled(named, "$text-error"))
        elif named.file.path.exists():
            again = " again" if self._confirmed else ""
            place.update(
                Content.styled(
                    f"Already exists: Enter{again} replaces it, Escape keeps it.\n{named.file.path}",
                    "$text-warning",
                )
            )
        else:
            place.update(Content.styled(f"Enter saves to {named.file.path}", "$muted"))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        named = self._named()
        if isinstance(named, NewPreset) and (not named.file.path.exists() or self._confirmed == named.title):
            self.dismiss(named)
        elif isinstance(named, NewPreset):
            self._confirmed = named.title
            self._say(named)

    def action_cancel(self) -> None:
        """Close without saving."""
        self.dismiss(None)
