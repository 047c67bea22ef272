"""The results, a page that scrolls: diagnoses, tables, bars, curves, and how the figures were obtained."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...engine.analysis.analysis import Analysis, analyse
from ...engine.analysis.report.markdown import markdown_results
from ...engine.analysis.results.result import Result
from ...engine.record.session import RunState, Session, read_session
from ...engine.record.shelf import SessionFolder
from ..render.results_header import title_line
from ..render.results_table import SortOrder
from ..requests import RunAgain, ShowLaunch
from ..widgets.diagnoses import DiagnosisLine
from ..widgets.footer import Footer
from ..widgets.results_page import ResultsPage
from ..widgets.results_table import ResultsTable
from .base import ClosedOnce, is_visible
from .dialogs.export import ExportScreen

REFRESH_SECONDS = 1.0
REST = 19
"""Times as long as a drawing took, nothing is drawn: a twentieth of a core is enough."""


class ResultsScreen(ClosedOnce[None]):
    """What a session has measured so far, or all of it."""

    CSS_PATH = "results.tcss"
    AUTO_FOCUS = "#table"
    HORIZONTAL_BREAKPOINTS = [(0, "-one-column"), (168, "-two-columns")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "Export", id="results.export", tooltip="Save as Markdown, JSON, CSV or SVG"),
        Binding(
            "c", "copy", "Copy", id="results.copy", tooltip="Copy the table as Markdown to the clipboard"
        ),
        Binding("s", "sort", "Sort", id="results.sort", tooltip="Sort the table by its next column"),
        Binding("S", "reverse", "Reverse", show=False, id="results.reverse", tooltip="Sort the other way"),
        Binding(
            "r",
            "again",
            "Run again",
            id="results.again",
            tooltip="Run the same preset once more, planned anew for this machine",
        ),
        Binding("n", "launch", "New", id="results.launch", tooltip="Back to the presets, to run another"),
        Binding("m,escape", "back", "Back", id="results.monitor", tooltip="Back to where you came from"),
        Binding("j", "section(1)", "Next", show=False, id="results.next", tooltip="The next section"),
        Binding(
            "k", "section(-1)", "Previous", show=False, id="results.previous", tooltip="The section before"
        ),
    ]

    class Folded(Message):
        """The journal of a past session has been read."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session

    class Unreadable(Message):
        """It cannot be read; one sentence."""

        def __init__(self, sentence: str) -> None:
            super().__init__()
            self.sentence = sentence

    def __init__(
        self,
        session: Session | None,
        folder: SessionFolder,
        is_over: Callable[[], bool] = lambda: True,
        unicode: bool = True,
    ) -> None:
        """`session`: None where its journal is yet to be read; `is_over`: whether nothing more can come."""
        super().__init__()
        self._session = session
        self._folder = folder
        self._is_over = is_over
        self._unicode = unicode
        self._order = SortOrder()
        self._drawn: tuple[object, ...] = ()
        self._rests_until = 0.0
        self._analysis: Analysis | None = None

    def compose(self) -> ComposeResult:
        """The headline stays; everything else scrolls below it."""
        yield Static(id="title", classes="headline", markup=False)
        yield ResultsPage(self._folder.path, self._unicode, id="page")
        yield Static(id="said", markup=False)
        yield Footer()

    @property
    def _found(self) -> Sequence[Result]:
        return self._analysis.results if self._analysis is not None else ()

    @property
    def _page(self) -> ResultsPage:
        return self.query_one(ResultsPage)

    def on_mount(self) -> None:
        """Draw once laid out, or once the journal was read; go on while the session does."""
        self._ticking = self.set_interval(REFRESH_SECONDS, self.redraw)
        self.call_after_refresh(self._draw_first)
        if self._session is None:
            self.query_one("#title", Static).update(Content.styled(self._folder.name, "bold"))
            self._page.say(Content.styled("reading the journal ...", "$muted"))
            self._read()

    @work(thread=True, exit_on_error=False)
    def _read(self) -> None:
        try:
            session = read_session(self._folder.journal)
        except OSError as error:
            why = f"its journal cannot be read: {error.strerror or error}; {self._folder.log} may say why"
            self.post_message(self.Unreadable(f"{self._folder.name}: {why}."))
        else:
            self.post_message(self.Folded(session))

    @on(Folded)
    def _folded(self, message: Folded) -> None:
        self._session = message.session
        self._draw_first()

    @on(Unreadable)
    def _failed(self, message: Unreadable) -> None:
        self._page.say(Content.styled(message.sentence, "$text-error"))

    def _draw_first(self) -> None:
        self.redraw()
        # Enter then opens the gravest diagnosis.
        first = self.query(DiagnosisLine)
        if first:
            first.first().focus(scroll_visible=False)

    def on_resize(self) -> None:
        """Other columns may fit now."""
        self.call_after_refresh(self.redraw)

    def on_screen_resume(self) -> None:
        """Draw what happened while a question or the help was in front."""
        self.call_after_refresh(self.redraw)

    def redraw(self) -> None:
        """Draw what has changed, the more seldom the longer it takes; nothing will once it is over."""
        if self._session is None or not is_visible(self):
            return
        over = self._is_over()
        if over:
            self._ticking.stop()
        page = self._page.scrollable_content_region
        frame = (over, page.width, page.height)
        shows = (*frame, *map(_state_of, self._session.runs.values()))
        rests = time.monotonic() < self._rests_until and frame == self._drawn[: len(frame)]
        if shows == self._drawn or rests:
            return
        self._drawn = shows
        began = time.monotonic()
        self._draw(self._session, over)
        self._rests_until = time.monotonic() + REST * (time.monotonic() - began)

    def _draw(self, session: Session, over: bool) -> None:
        self.refresh_bindings()
        self._analysis = analyse(session)
        with self.app.batch_update():
            self.query_one("#title", Static).update(title_line(session, over))
            self._page.show(self._analysis, self._order, over)

    # What the keys do

    def action_sort(self) -> None:
        """By the next column."""
        self._sort(self._order.next(self._found))

    def action_reverse(self) -> None:
        """The other way."""
        if self._order.column:
            self._sort(self._order.by(self._order.column))

    @on(ResultsTable.TitleClicked)
    def _title_clicked(self, message: ResultsTable.TitleClicked) -> None:
        self._sort(self._order.by(message.column))

    def _sort(self, order: SortOrder) -> None:
        if self._found:
            self._order = order
            self._page.sort(self._found, order)

    def action_section(self, step: int) -> None:
        """Go to the section that many further down."""
        if self._found:
            self._page.go_on(step)

    def action_copy(self) -> None:
        """Copy the table, every column of it, in the order shown."""
        if not self._found:
            return
        lines = markdown_results(self._order.of(self._found))
        self.app.copy_to_clipboard("\n".join(lines) + "\n")
        self._say(
            Content.assemble(
                (f"Copied the table as Markdown, {len(lines) - 2} rows.", "$text-success"),
                " The terminal must accept OSC 52; in tmux: ",
                ("set -g set-clipboard on", "bold"),
            )
        )

    @work
    async def action_export(self) -> None:
        """Ask for the format, save, and say where."""
        if self._session is None:
            return
        path: Path | None = await self.app.push_screen_wait(ExportScreen(self._session, self._folder))
        if path is not None:
            self._say(Content.assemble("Saved as ", (str(path), "bold $text-success")))

    def _say(self, content: Content) -> None:
        said = self.query_one("#said", Static)
        said.update(content)
        said.display = True

    def action_again(self) -> None:
        """Run the same preset once more."""
        self.post_message(RunAgain(self._folder))

    def action_back(self) -> None:
        """Back to the screen below."""
        self.dismiss()

    def action_launch(self) -> None:
        """Back to the presets."""
        self.post_message(ShowLaunch())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """No new session beside a running one: they would disturb each other."""
        return action not in ("launch", "again") or self._is_over()


def _state_of(run: RunState) -> tuple[object, ...]:
    """What changes when the run's figures do."""
    tested = sum(map(len, run.evaluations.values()))
    return run.state, run.phase, len(run.complete_windows), tested
