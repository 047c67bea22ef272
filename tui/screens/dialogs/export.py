"""Dialog for the format and the folder in which results are saved."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ....engine.analysis.analysis import analyse
from ....engine.analysis.export import Format, render
from ....engine.analysis.sessions.trials import with_trials
from ....engine.record.session import Session
from ....engine.record.session_folder import SessionFolder
from ....engine.record.shelf import Shelf
from ....engine.text.files import user_path
from ...data.exports import export_folder, write_export
from ...workers import in_thread
from ..base import ClosedOnce


class ExportFormat(NamedTuple):
    """A format: its key, its name and its description."""

    key: str
    form: Format
    text: str


EXPORT_FORMATS = (
    ExportFormat("m", "md", "Markdown: the full report, to read and share"),
    ExportFormat("j", "json", "JSON: everything, for programs"),
    ExportFormat("c", "csv", "CSV: a row per run, for spreadsheets"),
    ExportFormat("s", "svg", "SVG: charts, for a README or slides"),
)


class ExportScreen(ModalScreen[Path | None], ClosedOnce[Path | None]):
    """Asks for format and folder, and saves; dismissed with the full path of the file, None if cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="export.cancel", tooltip="Close without saving")
    ]

    class Written(Message):
        """The file has been written."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    class WriteFailed(Message):
        """The file could not be written; `sentence` says why."""

        def __init__(self, sentence: str) -> None:
            super().__init__()
            self.sentence = sentence

    def __init__(self, session: Session, folder: SessionFolder) -> None:
        super().__init__()
        self._session = session
        self._folder = folder

    def compose(self) -> ComposeResult:
        """Compose the formats, the folder, and a line for errors."""
        with Vertical(classes="box"):
            yield Static(Content(f"Save the results of {self._folder.name} as"))
            yield OptionList(
                *(
                    Option(Content.assemble((f"{one.key}  ", "$text-accent"), one.text), id=one.form)
                    for one in EXPORT_FORMATS
                )
            )
            where = Input(str(export_folder(self._folder.path)), id="where", compact=True)
            where.border_title = "in the folder"
            yield where
            yield Static(id="problem", markup=False)

    def on_mount(self) -> None:
        """Highlight Markdown, so that Enter saves it."""
        formats = self.query_one(OptionList)
        formats.highlighted = 0
        formats.focus()

    def on_key(self, event: events.Key) -> None:
        """Save at once on the key of a format, unless it is typed into the folder field."""
        chosen = next((one for one in EXPORT_FORMATS if one.key == event.key), None)
        if chosen is not None and not self.query_one(Input).has_focus:
            event.stop()
            self._save(chosen.form)

    @on(OptionList.OptionSelected)
    @on(Input.Submitted)
    def _chosen(self) -> None:
        highlighted = self.query_one(OptionList).highlighted
        self._save(EXPORT_FORMATS[highlighted or 0].form)

    def _save(self, form: Format) -> None:
        # Rendered in this thread, which folds the session: it must not change meanwhile.
        analysis = with_trials(analyse(self._session), Shelf(self._folder.path.parent))
        text = render(analysis, form)
        self._write(user_path(self.query_one(Input).value), f"{self._folder.name}.{form}", text)

    @in_thread("writing the file", exclusive=True)
    def _write(self, folder: Path, name: str, text: str) -> None:
        try:
            self.post_message(self.Written(write_export(folder, name, text)))
        except OSError as error:
            why = "there is no such folder" if not folder.is_dir() else error.strerror or str(error)
            self.post_message(self.WriteFailed(f"Cannot be written: {why}.\n{folder / name}"))

    @on(Written)
    def _written(self, message: Written) -> None:
        self.dismiss(message.path)

    @on(WriteFailed)
    def _failed(self, message: WriteFailed) -> None:
        self.query_one("#problem", Static).update(Content.styled(message.sentence, "$text-error"))

    def action_cancel(self) -> None:
        """Close without saving."""
        self.dismiss(None)
