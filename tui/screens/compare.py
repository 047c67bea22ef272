"""The comparison of sessions: each against the first, and what else differs between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from ...engine.analysis.environment import hardware
from ...engine.analysis.sessions.compare import SessionsComparison, compare_all
from ...engine.analysis.sessions.comparison_report import letter, render_comparison
from ...engine.analysis.sessions.noise import past_sessions
from ...engine.record.session import WITHOUT_STEPS, Session, read_session
from ...engine.record.session_folder import SessionFolder
from ...engine.text.units import date_time
from ..render.comparison import comparison_notes, comparison_table
from ..render.drawing.grid import wrapped
from ..widgets.footer import Footer
from ..workers import in_thread
from .page_screen import MarkdownPage, PageScreen


class CompareScreen(PageScreen):
    """Reads the sessions in a thread, then shows a page that scrolls."""

    CSS_PATH = "compare.tcss"
    AUTO_FOCUS = "#comparison"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "Export", id="compare.export", tooltip="Save the comparison as Markdown"),
        Binding(
            "c", "copy", "Copy", id="compare.copy", tooltip="Copy the comparison as Markdown to the clipboard"
        ),
        Binding("escape", "back", "Back", id="compare.back", tooltip="Back to the previous screen"),
    ]

    class Reading(Message):
        """The thread begins to read a session."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class Compared(Message):
        """The sessions have been compared."""

        def __init__(self, comparison: SessionsComparison, headings: Sequence[str]) -> None:
            super().__init__()
            self.comparison, self.headings = comparison, headings

    class ReadFailed(Message):
        """A session cannot be read; `sentence` says why."""

        def __init__(self, sentence: str) -> None:
            super().__init__()
            self.sentence = sentence

    def __init__(self, folders: Sequence[SessionFolder]) -> None:
        """`folders`: the others are compared with the first."""
        super().__init__()
        self._folders = folders
        self._result: CompareScreen.Compared | None = None

    def compose(self) -> ComposeResult:
        """Compose the list of sessions, the table and the notes."""
        yield Static(Content.styled("Compare", "bold"), id="headline", classes="headline", markup=False)
        with VerticalScroll(id="comparison"):
            yield Static(id="who", markup=False)
            yield Static(id="table", markup=False)
            yield Static(id="notes", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Read the sessions."""
        self._compare()

    @in_thread("comparing the sessions")
    def _compare(self) -> None:
        sessions = []
        for folder in self._folders:
            if get_current_worker().is_cancelled:
                return
            self.post_message(self.Reading(folder.name))
            try:
                sessions.append(read_session(folder.journal, WITHOUT_STEPS))
            except OSError as error:
                self.post_message(self.ReadFailed(f"{folder.name} cannot be read: {error.strerror}."))
                return
        comparison = compare_all(sessions[0], sessions[1:], past_sessions(self._folders, sessions))
        headings = [_heading(letter(index), session) for index, session in enumerate(sessions)]
        self.post_message(self.Compared(comparison, headings))

    @on(Reading)
    def _reading(self, message: Reading) -> None:
        self.query_one("#who", Static).update(Content.styled(f"reading {message.name}", "$muted"))

    @on(ReadFailed)
    def _failed(self, message: ReadFailed) -> None:
        self.query_one("#who", Static).update(Content.styled(message.sentence, "$text-error"))

    @on(Compared)
    def _compared(self, message: Compared) -> None:
        self._result = message
        self.redraw()
        self.refresh_bindings()

    def redraw(self) -> None:
        """Draw the page to its width."""
        if self._result is None:
            return
        comparison, width = self._result.comparison, self.width_within("#comparison")
        others = " and ".join(session.b for session in comparison.sessions)
        title = Content.assemble(
            ("Compare", "bold"), f"  {others} ", ("against", "$muted"), f" {comparison.base}"
        )
        headings = Content("\n").join([wrapped(line, width) for line in self._result.headings])
        with self.app.batch_update():
            self.query_one("#headline", Static).update(title)
            self.query_one("#who", Static).update(headings)
            self.query_one("#table", Static).update(comparison_table(comparison, width))
            self.query_one("#notes", Static).update(comparison_notes(comparison, width))

    @property
    def has_page(self) -> bool:
        """Whether there is a page yet."""
        return self._result is not None

    def as_markdown(self) -> MarkdownPage | None:
        """Return the comparison as Markdown; None until the sessions have been compared."""
        if self._result is None:
            return None
        base, comparison = self._folders[0], self._result.comparison
        more = len(comparison.sessions) - 1
        others = comparison.sessions[0].b + (f"-and-{more}-more" if more else "")
        text = render_comparison(comparison, "md")
        return MarkdownPage(text, "comparison", f"{others}-against-{base.name}.md", base.path)


def _heading(name: str, session: Session) -> str:
    when = date_time(session.unix_time)
    return f"{name} is {session.name}, {when}, {hardware(session)}; gpubench-tui {session.program}"
