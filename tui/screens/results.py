"""The results of a session, running or ended, on a page that scrolls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...engine.analysis.analysis import Analysis, analyse
from ...engine.analysis.report.line import result_line
from ...engine.analysis.report.markdown import markdown_summary
from ...engine.analysis.report.tuning import results_in_brief
from ...engine.analysis.results.result import Result
from ...engine.analysis.tuning.step import NO_REMEDY
from ...engine.analysis.tuning.tuning import tuning_of
from ...engine.record.session import RunState, Session, read_session
from ...engine.record.session_folder import SessionFolder
from ...engine.record.takeover import lacking_runs
from ..data.log_tail import last_words
from ..render.results_header import title_line
from ..render.results_table import SortOrder
from ..requests import Resume, RunAgain, ShowLaunch
from ..widgets.diagnoses import DiagnosisLine
from ..widgets.footer import Footer
from ..widgets.results_page import ResultsPage
from ..widgets.results_table import ResultsTable
from ..workers import in_task, in_thread
from .base import is_visible
from .dialogs.export import ExportScreen
from .trying import TryingScreen, folder_of_origin

REFRESH_SECONDS = 1.0
REST_FACTOR = 19
"""Pause after drawing, in multiples of the drawing time: at most 5% of a core is used."""


class ResultsScreen(TryingScreen):
    """Shows the analysis of a session, and updates it while the session is running."""

    CSS_PATH = "results.tcss"
    AUTO_FOCUS = "#table"
    HORIZONTAL_BREAKPOINTS = [(0, "-one-column"), (168, "-two-columns")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "Export", id="results.export", tooltip="Save as Markdown, JSON, CSV or SVG"),
        Binding(
            "c",
            "copy",
            "Copy",
            id="results.copy",
            tooltip="Copy headline, machine and table as Markdown",
        ),
        Binding(
            "l",
            "copy_line",
            "Copy line",
            show=False,
            id="results.copy_line",
            tooltip="Copy the results in one line to the clipboard",
        ),
        Binding("s", "sort", "Sort", id="results.sort", tooltip="Sort the table by the next column"),
        Binding(
            "S",
            "reverse",
            "Reverse",
            show=False,
            id="results.reverse",
            tooltip="Reverse the order of the table",
        ),
        Binding(
            "r",
            "again",
            "Run again",
            id="results.again",
            tooltip="Run the same preset again on this machine",
        ),
        Binding(
            "u",
            "resume",
            "Resume",
            id="results.resume",
            tooltip="Measure what is missing, in a new session that keeps the rest",
        ),
        Binding("n", "launch", "Presets", id="results.launch", tooltip="Back to the presets"),
        Binding("m,escape", "back", "Back", id="results.monitor", tooltip="Back to the previous screen"),
        Binding("j", "section(1)", "Next", show=False, id="results.next", tooltip="Next section"),
        Binding(
            "k", "section(-1)", "Previous", show=False, id="results.previous", tooltip="Previous section"
        ),
    ]

    class Folded(Message):
        """The journal of a past session has been read."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session

    class Unreadable(Message):
        """The journal cannot be read; `sentence` says why."""

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
        """`session`: None if its journal has yet to be read; `is_over`: whether the session has ended."""
        super().__init__(folder)
        self._session = session
        self._is_over = is_over
        self._unicode = unicode
        self._order = SortOrder()
        self._drawn: tuple[object, ...] = ()
        self._rest_until = 0.0
        self._analysis: Analysis | None = None

    def compose(self) -> ComposeResult:
        """Compose the title, and the page that scrolls below it."""
        yield Static(id="title", classes="headline", markup=False)
        yield ResultsPage(self.folder.path, self._unicode, id="page")
        yield Static(id="message", markup=False)
        yield Footer()

    @property
    def session(self) -> Session | None:
        """Return the session; None before its journal has been read."""
        return self._session

    @property
    def analysis(self) -> Analysis | None:
        """Return the analysis that is shown; None before there is one."""
        return self._analysis

    @property
    def _results(self) -> Sequence[Result]:
        return results_in_brief(self._analysis) if self._analysis is not None else ()

    @property
    def _page(self) -> ResultsPage:
        return self.query_one(ResultsPage)

    def on_mount(self) -> None:
        """Draw once laid out, or once the journal has been read; update while the session is running."""
        self._ticking = self.set_interval(REFRESH_SECONDS, self.redraw)
        self.call_after_refresh(self._draw_first)
        if self._session is None:
            self.query_one("#title", Static).update(Content.styled(self.folder.name, "bold"))
            self._page.say(Content.styled("reading the journal ...", "$muted"))
            self._read()

    @in_thread("reading the journal")
    def _read(self) -> None:
        try:
            session = read_session(self.folder.journal)
        except OSError as error:
            why = f"its journal cannot be read: {error.strerror or error}; {last_words(self.folder.log)}"
            self.post_message(self.Unreadable(f"{self.folder.name}: {why}"))
        else:
            self.post_message(self.Folded(session))

    @on(Folded)
    def _folded(self, message: Folded) -> None:
        self._session = message.session
        self.find_trials(message.session)
        self._draw_first()

    @on(Unreadable)
    def _failed(self, message: Unreadable) -> None:
        self._page.say(Content.styled(message.sentence, "$text-error"))

    def _draw_first(self) -> None:
        self.redraw()
        # Enter then expands the most severe diagnosis.
        first = self.query(DiagnosisLine)
        if first:
            first.first().focus(scroll_visible=False)

    def on_resize(self) -> None:
        """Draw to the new width."""
        self.call_after_refresh(self.redraw)

    def on_screen_resume(self) -> None:
        """Draw what has changed behind a dialog."""
        self.call_after_refresh(self.redraw)

    def show_trials(self) -> None:
        """Show the trials of this session's remedies."""
        self._drawn = ()
        self.redraw()

    def redraw(self) -> None:
        """Draw what has changed, less often the longer it takes; stop updating when the session has ended."""
        if self._session is None or not is_visible(self):
            return
        is_over = self._is_over()
        if is_over:
            self._ticking.stop()
            if not self._session.program:
                why = f"The session ended before it began: {last_words(self.folder.log)}"
                self.query_one("#title", Static).update(title_line(self._session, is_over))
                self._page.say(Content.styled(why, "$text-error"))
                return
        page = self._page.scrollable_content_region
        frame = (is_over, page.width, page.height)
        shows = (*frame, *map(_state_of, self._session.runs.values()))
        rest = time.monotonic() < self._rest_until and frame == self._drawn[: len(frame)]
        if shows == self._drawn or rest:
            return
        self._drawn = shows
        began = time.monotonic()
        self._draw(self._session, is_over)
        self._rest_until = time.monotonic() + REST_FACTOR * (time.monotonic() - began)

    def _draw(self, session: Session, is_over: bool) -> None:
        self.refresh_bindings()
        self._analysis = analyse(session)
        with self.app.batch_update():
            self.query_one("#title", Static).update(title_line(session, is_over))
            self._page.show(self._analysis, self._order, is_over)
            self._page.link(self.trials, folder_of_origin(self.folder, session))

    # Actions

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._sort(self._order.next(self._results))

    def action_reverse(self) -> None:
        """Reverse the order."""
        if self._order.column:
            self._sort(self._order.by(self._order.column))

    @on(ResultsTable.TitleClicked)
    def _title_clicked(self, message: ResultsTable.TitleClicked) -> None:
        self._sort(self._order.by(message.column))

    def _sort(self, order: SortOrder) -> None:
        if self._results:
            self._order = order
            self._page.sort(self._results, order)

    def action_section(self, step: int) -> None:
        """Move to the section `step` places further down."""
        if self._results:
            self._page.move_focus(step)

    def action_copy(self) -> None:
        """Copy training, headline, machine and all columns of the table, in the order shown."""
        if self._analysis is not None:
            lines = markdown_summary(self._analysis, self._order.of(self._results))
            self._copy("\n".join(lines) + "\n", f"the table as Markdown, {len(self._results)} rows")

    def action_copy_line(self) -> None:
        """Copy the results in one line."""
        if self._analysis is not None:
            line = result_line(self._analysis)
            self._copy(line, line)

    def _copy(self, text: str, what: str) -> None:
        self.app.copy_to_clipboard(text)
        self.say(
            Content.assemble(
                (f"Copied {what}.", "$text-success"),
                " The terminal must support OSC 52; in tmux: ",
                ("set -g set-clipboard on", "bold"),
            )
        )

    @in_task("exporting")
    async def action_export(self) -> None:
        """Ask for the format, save, and show where."""
        if self._session is None:
            return
        path: Path | None = await self.app.push_screen_wait(ExportScreen(self._session, self.folder))
        if path is not None:
            self.say(Content.assemble("Saved as ", (str(path), "bold $text-success")))

    def say(self, content: Content) -> None:
        """Show a message below the page."""
        message = self.query_one("#message", Static)
        message.update(content)
        message.display = True

    def action_again(self) -> None:
        """Run the same preset again."""
        self.post_message(RunAgain(self.folder))

    def action_resume(self) -> None:
        """Measure what the session lacks."""
        self.post_message(Resume(self.folder))

    def action_back(self) -> None:
        """Return to the previous screen."""
        self.dismiss()

    def action_launch(self) -> None:
        """Return to the presets."""
        self.post_message(ShowLaunch())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Disable Run again while the session is running, and Resume where it lacks nothing."""
        if action == "resume":
            return self._is_over() and self._session is not None and _can_go_on(self._session)
        return action != "again" or self._is_over()


def _can_go_on(session: Session) -> bool:
    """Return whether a session that has ended lacks runs, or is a tune with something left to try."""
    tuning = tuning_of(session)
    return bool(lacking_runs(session)) or (tuning is not None and tuning.ended != NO_REMEDY)


def _state_of(run: RunState) -> tuple[object, ...]:
    """Return values that change whenever the figures of the run do."""
    tested = sum(map(len, run.evaluations.values()))
    return run.state, run.phase, len(run.complete_windows), tested
