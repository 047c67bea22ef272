"""The results: the speedup table, what it says in a sentence, where it was measured, and its export."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from ...engine.analysis.environment import hardware
from ...engine.analysis.results import headline, results
from ...engine.record.session import Session
from ...engine.record.shelf import SessionFolder
from ..save import save_report
from ..widgets.panel import Panel
from ..widgets.results_table import results_table, said_beside
from .quittable import NewSession

REFRESH_SECONDS = 1.0


class ResultsScreen(Screen[None]):
    """Over the monitor: what the session has measured so far, or all of it."""

    CSS_PATH = "results.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "Export", id="results.export", tooltip="Save the report as Markdown"),
        Binding("m,escape", "back", "Monitor", id="results.monitor", tooltip="Back to the monitor"),
        Binding(
            "r", "launch", "New session", id="results.launch", tooltip="Back to the presets, to run another"
        ),
    ]

    def __init__(self, session: Session, folder: SessionFolder, note: str = "") -> None:
        super().__init__()
        self._session = session
        self._folder = folder
        self._note = note
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Table above, remarks below it."""
        yield Static(id="title", classes="headline", markup=False)
        yield Static(id="sentence", markup=False)
        yield Panel("Results", id="table", classes="exact")
        yield Panel("Remarks", id="remarks")
        yield Static(id="provenance", markup=False)
        yield Static(id="saved", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Draw once laid out; go on while the session does."""
        self.query_one("#table", Panel).focus()
        self.call_after_refresh(self.redraw)
        self.set_interval(REFRESH_SECONDS, self.redraw)

    def on_resize(self) -> None:
        """Other columns may fit now."""
        self.call_after_refresh(self.redraw)

    def redraw(self) -> None:
        """Draw what has changed."""
        session = self._session
        table, said = self.query_one("#table", Panel), self.query_one("#remarks", Panel)
        shows = (session.elapsed, session.outcome, table.columns)
        if not self.is_current or shows == self._drawn:
            return
        self._drawn = shows
        found = results(session)
        self.query_one("#title", Static).update(_title(session, self._note))
        sentence = headline(session)
        self.query_one("#sentence", Static).update(sentence or "Nothing to compare yet.")
        table.show(results_table(found, table.columns))
        beside = said_beside(found)
        said.show(beside)
        said.display = bool(beside)
        self.query_one("#provenance", Static).update(_provenance(session))

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
        self.post_message(NewSession())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """No new session beside a running one: they would disturb each other."""
        return not (action == "launch" and self._session.outcome is None and not self._note)


def _title(session: Session, note: str) -> Content:
    state = note or {"finished": "", "stopped": "stopped before its end", None: "so far"}[session.outcome]
    parts: list[Content | str | tuple[str, str]] = [(session.plan.title or session.name, "bold")]
    parts.append((f"  {session.name}", "$muted"))
    if state:
        parts.append((f"  {state}", "$text-warning"))
    return Content.assemble(*parts)


def _provenance(session: Session) -> Content:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(session.unix_time))
    return Content.styled(
        f"Measured {when} on {hardware(session)}; gpubench-tui {session.program}. samples/s: "
        "median over windows ± 1.4826 x median absolute deviation.",
        "$muted",
    )
