"""A screen on a session from which remedies of its diagnoses are tried, and which leads to their trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from ...engine.analysis.analysis import Analysis
from ...engine.analysis.diagnosis.case import Diagnosis
from ...engine.analysis.diagnosis.rules import ORDER
from ...engine.analysis.past_trial import PastTrial
from ...engine.analysis.sessions.trials import trials_of
from ...engine.record.session import Session
from ...engine.record.session_folder import SessionFolder
from ...engine.record.shelf import Shelf
from ..requests import TryRemedy
from ..widgets.diagnoses import DiagnosisLine
from ..workers import in_task, in_thread
from .base import ClosedOnce
from .dialogs.remedies import RemediesScreen


class TryingScreen(ClosedOnce[None]):
    """Tries a remedy on `t`; knows the trials of its session, read whenever it comes into view."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "t",
            "try",
            "Try",
            id="results.try",
            tooltip="Try a remedy of the focused diagnosis, or else of the first that has one",
        )
    ]

    class TrialsFound(Message):
        """The sessions that try remedies for this one have been read."""

        def __init__(self, trials: Sequence[PastTrial]) -> None:
            super().__init__()
            self.trials = trials

    def __init__(self, folder: SessionFolder) -> None:
        super().__init__()
        self.folder = folder
        self.trials: Sequence[PastTrial] = ()
        """Trials of this session's remedies, newest first."""

    @property
    def session(self) -> Session | None:
        """Return the session; None before it has been read."""
        raise NotImplementedError

    @property
    def analysis(self) -> Analysis | None:
        """Return the analysis that is shown; None before there is one."""
        raise NotImplementedError

    def say(self, content: Content) -> None:
        """Show a message below the page."""
        raise NotImplementedError

    def show_trials(self) -> None:
        """Show the trials, which have changed."""
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        """Look for trials, which may have been made meanwhile."""
        if self.session is not None:
            self.find_trials(self.session)

    @in_thread("looking for trials", feed=True, exclusive=True)
    def find_trials(self, session: Session) -> None:
        """Look for trials of the session's remedies beside it."""
        self.post_message(self.TrialsFound(trials_of(session, Shelf(self.folder.path.parent))))

    @on(TrialsFound)
    def _trials_found(self, message: TrialsFound) -> None:
        if message.trials != self.trials:
            self.trials = message.trials
            self.show_trials()

    @in_task("trying a remedy")
    async def action_try(self) -> None:
        """Ask which remedy of a diagnosis to try, and start a session that does."""
        diagnosis = self._diagnosis_to_cure()
        if diagnosis is None:
            self.say(Content("There is no diagnosis here whose remedy could be tried."))
        elif not diagnosis.remedies:
            # The advice says that there is nothing for the program to try.
            self.say(Content(f"{diagnosis.name}: {diagnosis.advice}."))
        else:
            run = diagnosis.runs[0]
            dialog = RemediesScreen(diagnosis.name, diagnosis.tried_on or run, diagnosis.remedies)
            remedy = await self.app.push_screen_wait(dialog)
            if remedy is not None:
                self.post_message(TryRemedy(self.folder, run, diagnosis.name, remedy))

    def _diagnosis_to_cure(self) -> Diagnosis | None:
        """Return the focused diagnosis; if none is, the most severe with a remedy, else the most severe.

        Of a diagnosis of several runs it is that of the gravest run for which there is a remedy.
        """
        analysis = self.analysis
        if analysis is None:
            return None
        curable = [each for each in analysis.diagnoses_by_run if each.remedies]
        curable.sort(key=lambda each: ORDER.index(each.severity))
        if isinstance(self.focused, DiagnosisLine):
            shown = self.focused.diagnosis
            return next((each for each in curable if each.name == shown.name), shown)
        return next(iter(curable), next(iter(analysis.diagnoses), None))


def folder_of_origin(folder: SessionFolder, session: Session) -> SessionFolder | None:
    """Return the session that a session is a trial of; None if it is none, or that one is not beside it."""
    if session.plan.trial is None:
        return None
    origin = SessionFolder(folder.path.parent / session.plan.trial.session)
    return origin if origin.path.exists() else None
