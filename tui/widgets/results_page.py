"""The results page: diagnoses, tables, bars, curves, and method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ...engine.analysis.analysis import Analysis
from ...engine.analysis.past_trial import PastTrial
from ...engine.analysis.report.projection import PROJECTED
from ...engine.analysis.report.trials import outcome_of_trial
from ...engine.analysis.report.tuning import results_in_brief
from ...engine.analysis.results.result import Result
from ...engine.analysis.sessions.overview import OVER
from ...engine.analysis.tuning.tuning import tuning_of
from ...engine.record.session_folder import SessionFolder
from ..render.communication import communication_table
from ..render.curves import curves
from ..render.devices import devices_table
from ..render.phases import phase_bars
from ..render.projection import projection_table
from ..render.published import published_figures
from ..render.results_header import closing, opening
from ..render.results_table import SortOrder, results_remarks, results_table
from ..render.speedup_bars import speedup_bars
from ..render.tuning import found_settings, waterfall
from .diagnoses import Diagnoses
from .results_table import ResultsTable
from .section import PageSection
from .session_links import SessionLink, SessionLinks

SECTION_FRAME = 2
"""Cells at the sides of a section."""
VISIBLE_ROWS = 7
"""Rows of the table that must be visible below the diagnoses."""
LINES_BETWEEN = 7
"""Lines of titles and gaps between the opening and the first row of the table, diagnoses aside."""
NO_DIAGNOSIS = "No problems found in these figures."


class ResultsPage(VerticalScroll, can_focus=False):
    """Sections one below the other, in two columns on wide terminals."""

    def __init__(self, folder: Path, unicode: bool, *, id: str) -> None:  # noqa: A002
        """`folder`: the session's folder, named where a log in it is."""
        super().__init__(id=id)
        self._folder = folder
        self._unicode = unicode
        self._width = 0
        self._headline = ""

    def compose(self) -> ComposeResult:
        """Compose results and curves at the left, their breakdown at the right or below."""
        with Vertical(classes="column"):
            yield Static(id="sentence", markup=False)
            yield PageSection("Tune", id="tuning")
            yield Diagnoses(id="diagnoses")
            yield SessionLinks(id="links")
            yield ResultsTable("Results", id="table")
            yield PageSection("Speedup", id="speedup")
            yield PageSection("Curves", id="curves")
        with Vertical(classes="column"):
            yield PageSection("Step time breakdown", id="phases")
            yield PageSection("Communication", id="communication")
            yield PageSection("Device utilisation", id="devices")
            yield PageSection("Published figures, on other hardware", id="published")
            yield PageSection(PROJECTED, id="projection")
            yield PageSection("Method", id="method")

    def say(self, content: Content) -> None:
        """Show a message in place of the headline."""
        self.query_one("#sentence", Static).update(content)

    def show(self, analysis: Analysis, order: SortOrder, is_over: bool) -> None:
        """Show the analysis of a session; `is_over`: whether the session has ended."""
        page = self.scrollable_content_region
        columns = 2 if self.screen.has_class("-two-columns") else 1
        width = self._width = max(20, page.width // columns - SECTION_FRAME - (columns - 1))
        self._headline = analysis.headline
        first = opening(analysis, width)
        self.say(first)
        self._show_tuning(analysis, width)
        otherwise = (
            NO_DIAGNOSIS
            if any(result.windows for result in analysis.results)
            else "Nothing has been measured yet."
        )
        above = str(first).count("\n") + 1 + LINES_BETWEEN
        room = page.height - above - min(len(analysis.results) + 1, VISIBLE_ROWS)
        self.query_one(Diagnoses).show(analysis.diagnoses, otherwise, width, room)
        self.sort(results_in_brief(analysis), order)
        self._show("curves", curves(analysis, width, self._unicode))
        self._show("phases", phase_bars(analysis, is_over, width))
        self._show("communication", communication_table(analysis, is_over, width))
        self._show("projection", projection_table(analysis, is_over, width))
        self._show("devices", devices_table(analysis, is_over, width))
        self.query_one("#published").display = bool(analysis.session.plan.published)
        self._show("published", published_figures(analysis, width))
        self._show("method", closing(analysis, width))

    def _show_tuning(self, analysis: Analysis, width: int) -> None:
        tuning = tuning_of(analysis.session)
        self.query_one("#tuning").display = tuning is not None
        if tuning is not None:
            found = found_settings(tuning, analysis.session.log, width)
            content = waterfall(tuning, width).content
            self._show("tuning", content + "\n\n" + found if found else content)

    def link(self, trials: Sequence[PastTrial], origin: SessionFolder | None) -> None:
        """Show links to the trials of this session's remedies, or to the session that it is a trial of."""
        shelf = self._folder.parent
        links = [
            SessionLink(
                "tried: ", outcome_of_trial(one), SessionFolder(shelf / one.session), one.state not in OVER
            )
            for one in trials
        ]
        if origin is not None:
            links.insert(0, SessionLink("a trial of: ", origin.name, origin))
        self.query_one(SessionLinks).show("Trials" if trials else "Origin", links, self._width)

    def sort(self, results: Sequence[Result], order: SortOrder) -> None:
        """Show the table and the bars in the given order."""
        ordered, width = order.of(results), self._width
        remarks = results_remarks(ordered, self._folder, width, self._headline)
        table = results_table(ordered, width, order)
        self._show("table", table + "\n\n" + remarks if remarks else table)
        self._show("speedup", speedup_bars(ordered, width))

    def _show(self, name: str, content: Content) -> None:
        self.query_one(f"#{name}", PageSection).show(content)

    def move_focus(self, step: int) -> None:
        """Focus the section `step` places further down, and scroll to its top."""
        sections = [each for each in self.query(".section") if each.display]
        focused = self.screen.focused
        here = [place for place, one in enumerate(sections) if focused in (one, *one.children)]
        target = sections[max(0, min(len(sections) - 1, here[0] + step if here else 0))]
        (target.children[0] if target.children else target).focus(scroll_visible=False)
        self.scroll_to_widget(target, top=True, animate=False)
