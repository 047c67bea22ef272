"""The results, a page that scrolls: diagnoses, tables, bars, curves, and how the figures were obtained."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widgets import Static

from ...engine.analysis.diagnosis.rules import diagnose
from ...engine.analysis.markdown import results_table as markdown_table
from ...engine.analysis.results import Result, results
from ...engine.record.session import RunState, Session, read_session
from ...engine.record.shelf import SessionFolder
from ..routes import RunAgain, ShowLaunch
from ..widgets.communication_table import communication_table
from ..widgets.curves import curves
from ..widgets.devices_table import devices_table
from ..widgets.diagnoses import Diagnoses, DiagnosisLine
from ..widgets.footer import Footer
from ..widgets.opening import closing, opening, title_line
from ..widgets.phase_bars import phase_bars
from ..widgets.published_figures import published_figures
from ..widgets.results_table import Order, ResultsTable, results_table, said_beside
from ..widgets.section import Section
from ..widgets.speedup_bars import speedup_bars
from .closed_once import ClosedOnce
from .export import ExportScreen
from .sight import in_sight

REFRESH_SECONDS = 1.0
REST = 19
"""Times as long as a drawing took, nothing is drawn: a twentieth of a core is enough."""
FRAME = 2
"""Cells at the sides of a section."""
ROWS_IN_SIGHT = 7
"""So many lines of the table shall be seen below the diagnoses."""
ABOVE_AND_BETWEEN = 10
"""Lines that headline, titles and gaps take down to the table's first line."""
UNSPOILT = "Nothing was found that would explain or spoil these figures."


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
        self._order = Order()
        self._drawn: tuple[object, ...] = ()
        self._rests_until = 0.0
        self._found: list[Result] = []
        self._width = 0

    def compose(self) -> ComposeResult:
        """The headline stays; everything else scrolls below it, in two columns where the terminal is wide."""
        yield Static(id="title", classes="headline", markup=False)
        with VerticalScroll(id="page", can_focus=False):
            with Vertical(classes="column"):
                yield Static(id="sentence", markup=False)
                yield Diagnoses(id="diagnoses")
                yield ResultsTable("Results", id="table")
                yield Section("What more devices bring", id="speedup")
                yield Section("Curves", id="curves")
            with Vertical(classes="column"):
                yield Section("Where a step goes", id="phases")
                yield Section("Communication", id="communication")
                yield Section("How well the devices were used", id="devices")
                yield Section("Published by others, on other hardware", id="published")
                yield Section("How these figures were obtained", id="method")
        yield Static(id="said", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Draw once laid out, or once the journal was read; go on while the session does."""
        self._ticking = self.set_interval(REFRESH_SECONDS, self.redraw)
        self.call_after_refresh(self._draw_first)
        if self._session is None:
            self.query_one("#title", Static).update(Content.styled(self._folder.name, "bold"))
            self.query_one("#sentence", Static).update(Content.styled("reading the journal ...", "$muted"))
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
        self.query_one("#sentence", Static).update(Content.styled(message.sentence, "$text-error"))

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
        if self._session is None or not in_sight(self):
            return
        over = self._is_over()
        if over:
            self._ticking.stop()
        page = self.query_one("#page").scrollable_content_region
        frame = (over, page.width, page.height)
        shows = (*frame, *map(_state_of, self._session.runs.values()))
        rests = time.monotonic() < self._rests_until and frame == self._drawn[: len(frame)]
        if shows == self._drawn or rests:
            return
        self._drawn = shows
        began = time.monotonic()
        self._draw(self._session, over, page.size)
        self._rests_until = time.monotonic() + REST * (time.monotonic() - began)

    def _draw(self, session: Session, over: bool, page: Size) -> None:
        columns = 2 if self.has_class("-two-columns") else 1
        width = self._width = max(20, page.width // columns - FRAME - (columns - 1))
        self.refresh_bindings()
        found = self._found = results(session)
        with self.app.batch_update():
            self.query_one("#title", Static).update(title_line(session, over))
            self.query_one("#sentence", Static).update(opening(session, found, width))
            otherwise = UNSPOILT if any(result.windows for result in found) else "Nothing was measured yet."
            room = page.height - ABOVE_AND_BETWEEN - min(len(found) + 1, ROWS_IN_SIGHT)
            self.query_one(Diagnoses).show(diagnose(session), otherwise, width, room)
            self._draw_table()
            self._show("curves", curves(session, width, self._unicode))
            self._show("phases", phase_bars(session, found, over, width))
            self._show("communication", communication_table(session, found, over, width))
            self._show("devices", devices_table(session, found, over, width))
            self._show("published", published_figures(session, found, width))
            self._show("method", closing(session, found, width))

    def _draw_table(self) -> None:
        """The table and the bars, in the order that was asked for."""
        found, width = self._order.of(self._found), self._width
        said = said_beside(found, self._folder.path, width)
        table = results_table(found, width, self._order)
        self._show("table", table + "\n\n" + said if said else table)
        self._show("speedup", speedup_bars(found, width))

    def _show(self, name: str, content: Content) -> None:
        self.query_one(f"#{name}", Section).show(content)

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

    def _sort(self, order: Order) -> None:
        if self._found:
            self._order = order
            self._draw_table()

    def action_section(self, step: int) -> None:
        """Go to the section that many further down, and show it from its top."""
        if not self._found:
            return
        sections = list(self.query(".section"))
        focused = self.focused
        here = [place for place, one in enumerate(sections) if focused in (one, *one.children)]
        target = sections[max(0, min(len(sections) - 1, here[0] + step if here else 0))]
        (target.children[0] if target.children else target).focus(scroll_visible=False)
        self.query_one("#page").scroll_to_widget(target, top=True, animate=False)

    def action_copy(self) -> None:
        """Copy the table, every column of it, in the order shown."""
        if not self._found:
            return
        lines = markdown_table(self._order.of(self._found))
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
