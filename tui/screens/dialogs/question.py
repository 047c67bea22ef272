"""Dialog that asks a question, answered with one key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ....engine.text.units import count
from ..base import ClosedOnce

if TYPE_CHECKING:
    import subprocess

    from ....engine.record.session_folder import SessionFolder
    from ...data.start_sessions import NewSession


class Answer(NamedTuple):
    """One answer to a question: its key, its value and its text."""

    key: str
    value: str
    text: str


class QuestionScreen(ModalScreen[str], ClosedOnce[str]):
    """Asks a question; dismissed with the value of the chosen answer, `cancel` for Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="question.cancel", tooltip="Close without doing anything")
    ]

    def __init__(self, question: str, answers: Sequence[Answer]) -> None:
        super().__init__()
        self._question = question
        self._answers = (*answers, Answer("escape", "cancel", "Cancel"))

    def compose(self) -> ComposeResult:
        """Compose the question above its answers."""
        with Vertical(classes="box"):
            yield Static(Content(self._question))
            yield OptionList(
                *(
                    Option(
                        Content.assemble((f"{_shown(one.key):>3}  ", "$text-accent"), one.text), id=one.value
                    )
                    for one in self._answers
                )
            )

    def on_mount(self) -> None:
        """Highlight the harmless answer, so that Enter chooses it."""
        answers = self.query_one(OptionList)
        answers.highlighted = len(self._answers) - 1
        answers.focus()

    def on_key(self, event: events.Key) -> None:
        """Choose an answer by its own key."""
        for answer in self._answers[:-1]:
            if event.key == answer.key:
                event.stop()
                self.dismiss(answer.value)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id or "cancel")

    def action_cancel(self) -> None:
        """Answer `cancel`."""
        self.dismiss("cancel")


def _shown(key: str) -> str:
    return "esc" if key == "escape" else key


def quit_question(name: str, queued: int = 0) -> QuestionScreen:
    """Return the question asked before quitting while a session runs, `queued` sessions behind it."""
    stop = f"Stop it and {_behind(queued)}, and quit" if queued else "Stop it and quit"
    return QuestionScreen(
        f"{name} is still running.",
        (
            Answer("l", "leave", "Leave it running and quit; attach returns to it"),
            Answer("s", "stop", f"{stop}; completed measurements are kept"),
        ),
    )


def stop_question(name: str, queued: int = 0, is_tune: bool = False) -> QuestionScreen:
    """Return the question asked before stopping a session, `queued` sessions behind it."""
    kept = "It keeps what it has found so far; u among the sessions resumes it."
    question = f"Stop {name}? {kept if is_tune else 'Completed measurements are kept.'}"
    if not queued:
        return QuestionScreen(question, (Answer("y", "stop", "Yes, stop it"),))
    return QuestionScreen(
        question,
        (
            Answer("y", "stop", "Yes, stop it; the next session in the queue starts"),
            Answer("a", "stop all", f"Stop it and {_behind(queued)}"),
        ),
    )


def _behind(queued: int) -> str:
    return "the session queued behind it" if queued == 1 else f"the {queued} sessions queued behind it"


def skip_question(label: str, then: str) -> QuestionScreen:
    """Return the question asked before skipping the rest of the current run; `then`: what follows."""
    return QuestionScreen(f"Skip the rest of {label}? {then}", (Answer("y", "skip", "Yes, skip it"),))


def drop_question(edits: int, name: str) -> QuestionScreen:
    """Return the question asked before the edits of a preset are dropped."""
    them = "them" if edits > 1 else "it"
    return QuestionScreen(
        f"{count(edits, 'edit')} of {name} would be lost.",
        (Answer("d", "drop", f"Drop {them}"), Answer("w", "save", "Save as your own preset")),
    )


async def start_unless_in_use(
    app: App[Any], root: Path | None, new: Sequence[NewSession]
) -> tuple[SessionFolder, subprocess.Popen[bytes] | None] | None:
    """Start the sessions; while others use their devices, ask whether to wait or to start nevertheless.

    Returns what `start_new` does; None if nothing was started. Raises OSError.
    """
    from ....engine.conductor.devices_in_use import DevicesInUseError
    from ...data.start_sessions import start_new

    try:
        return await asyncio.to_thread(start_new, root, new, "refuse")
    except DevicesInUseError as error:
        names = [other.name for other in reversed(error.others)]
    answer = await app.push_screen_wait(queue_question(names))
    if answer == "cancel":
        return None
    return await asyncio.to_thread(start_new, root, new, "wait" if answer == "queue" else "anyway")


def queue_question(names: Sequence[str]) -> QuestionScreen:
    """Return the question asked before starting a session on devices that these need, newest first."""
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    then = "when that session ends" if len(names) == 1 else "when those sessions have ended"
    return QuestionScreen(
        f"{names[-1]}{others} would run at the same time: they would distort each other's measurements.",
        (
            Answer("w", "queue", f"Wait in the queue: start {then}"),
            Answer("n", "now", "Start now, at the same time"),
        ),
    )
