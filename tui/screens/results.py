"""The results, a page that scrolls: diagnoses, tables, what others published, how figures were obtained."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from ...engine.analysis.diagnosis.rules import diagnose
from ...engine.analysis.environment import hardware
from ...engine.analysis.method import method
from ...engine.analysis.provenance import origins
from ...engine.analysis.results import Result, headline, results
from ...engine.record.session import RunState, Session
from ...engine.record.shelf import SessionFolder
from ..routes import ShowLaunch
from ..save import save_report
from ..widgets.communication_table import communication_table
from ..widgets.devices_table import devices_table
from ..widgets.diagnoses import Diagnoses, DiagnosisLine
from ..widgets.footer import Footer
from ..widgets.grid import wrapped
from ..widgets.phase_bars import phase_bars
from ..widgets.published_figures import published_figures
from ..widgets.results_table import results_table, said_beside
from ..widgets.section import Section
from .sight import in_sight

REFRESH_SECONDS = 1.0
FRAME = 2
"""Cells at the sides of a section."""
UNSPOILT = "Nothing was found that would explain or spoil these figures."


class ResultsScreen(Screen[None]):
    """Over the monitor: what the session has measured so far, or all of it."""

    CSS_PATH = "results.tcss"
    AUTO_FOCUS = "#table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "Export", id="results.export", tooltip="Save the report as Markdown"),
        Binding("m,escape", "back", "Monitor", id="results.monitor", tooltip="Back to the monitor"),
        Binding(
            "r", "launch", "New session", id="results.launch", tooltip="Back to the presets, to run another"
        ),
    ]

    def __init__(self, session: Session, folder: SessionFolder, is_over: Callable[[], bool]) -> None:
        """`is_over`: whether nothing can come any more."""
        super().__init__()
        self._session = session
        self._folder = folder
        self._is_over = is_over
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """The headline stays; everything else scrolls below it."""
        yield Static(id="title", classes="headline", markup=False)
        with VerticalScroll(id="page", can_focus=False):
            yield Static(id="sentence", markup=False)
            yield Diagnoses(id="diagnoses")
            yield Section("Results", id="table")
            yield Section("Where a step goes", id="phases")
            yield Section("Communication", id="communication")
            yield Section("How well the devices were used", id="devices")
            yield Section("Published by others, on other hardware", id="published")
            yield Section("How these figures were obtained", id="method")
        yield Static(id="saved", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Draw once laid out; go on while the session does."""
        self._ticking = self.set_interval(REFRESH_SECONDS, self.redraw)
        self.call_after_refresh(self._draw_first)

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
        """Draw what has changed; once the session is over nothing will."""
        if not in_sight(self):
            return
        session, over = self._session, self._is_over()
        width = max(20, self.query_one("#page").scrollable_content_region.width - FRAME)
        shows = (over, width, *map(_state_of, session.runs.values()))
        if over:
            self._ticking.stop()
        if shows == self._drawn:
            return
        self._drawn = shows
        self.refresh_bindings()
        found = results(session)
        with self.app.batch_update():
            self.query_one("#title", Static).update(_title(session, over))
            self.query_one("#sentence", Static).update(_opening(session, width))
            otherwise = UNSPOILT if any(result.windows for result in found) else "Nothing was measured yet."
            self.query_one(Diagnoses).show(diagnose(session), otherwise, width)
            self._show("table", _table(found, width))
            self._show("phases", phase_bars(session, found, over, width))
            self._show("communication", communication_table(session, found, over, width))
            self._show("devices", devices_table(session, found, over, width))
            self._show("published", published_figures(session, found, width))
            self._show("method", _method(session, found, width))

    def _show(self, name: str, content: Content) -> None:
        self.query_one(f"#{name}", Section).show(content)

    def action_export(self) -> None:
        """Save the report and say where it is."""
        try:
            path = save_report(self._session, self._folder)
        except OSError as error:
            text = Content.styled(f"The report could not be saved: {error}", "$text-error")
        else:
            text = Content.assemble("Saved as ", (str(path), "bold $text-success"))
        self.query_one("#saved", Static).update(text)
        self.query_one("#saved", Static).display = True

    def action_back(self) -> None:
        """Back to the monitor."""
        self.dismiss()

    def action_launch(self) -> None:
        """Back to the presets."""
        self.post_message(ShowLaunch())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """No new session beside a running one: they would disturb each other."""
        return action != "launch" or self._is_over()


def _state_of(run: RunState) -> tuple[object, ...]:
    """What changes when the run's figures do."""
    tested = sum(map(len, run.evaluations.values()))
    return run.state, run.phase, len(run.complete_windows), tested


def _title(session: Session, over: bool) -> Content:
    if session.outcome is None:
        state = "interrupted: its process is gone" if over else "so far"
    else:
        state = "" if session.outcome == "finished" else "stopped before its end"
    parts: list[Content | str | tuple[str, str]] = [(session.plan.title or session.name, "bold")]
    parts.append((f"  {session.name}", "$muted"))
    if state:
        parts.append((f"  {state}", "$text-warning"))
    return Content.assemble(*parts)


def _opening(session: Session, width: int) -> Content:
    """The headline, and where it was measured."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(session.unix_time))
    measured = f"Measured {when} on {hardware(session)}; gpubench-tui {session.program}."
    sentence = headline(session) or "Nothing to compare yet"
    return wrapped(f"{sentence}.", width, "bold") + "\n" + wrapped(measured, width, "$muted")


def _table(found: Sequence[Result], width: int) -> Content:
    said = said_beside(found, width)
    table = results_table(found, width)
    return table + "\n\n" + said if said else table


def _method(session: Session, found: Sequence[Result], width: int) -> Content:
    paragraphs = [wrapped(line, width) for line in method(session, found)]
    for origin in origins(found):
        lead = f"{origin.figure} ({origin.kind}): "
        paragraphs.append(wrapped(origin.how, width, "$muted", lead=lead))
    return Content("\n").join(paragraphs)
