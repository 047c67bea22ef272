"""A question in front of the screen, answered by one key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ..base import ClosedOnce


class Choice(NamedTuple):
    """One answer."""

    key: str
    answer: str
    text: str


class QuestionScreen(ModalScreen[str], ClosedOnce[str]):
    """Asks; dismissed with the answer chosen, `cancel` for Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="question.cancel", tooltip="Go back without doing anything")
    ]

    def __init__(self, question: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._question = question
        self._choices = (*choices, Choice("escape", "cancel", "Cancel"))

    def compose(self) -> ComposeResult:
        """The question above its answers."""
        with Vertical(classes="box"):
            yield Static(Content(self._question))
            yield OptionList(
                *(
                    Option(
                        Content.assemble((f"{_shown(one.key):>3}  ", "$text-accent"), one.text), id=one.answer
                    )
                    for one in self._choices
                )
            )

    def on_mount(self) -> None:
        """The harmless answer is the one that Enter gives."""
        answers = self.query_one(OptionList)
        answers.highlighted = len(self._choices) - 1
        answers.focus()

    def on_key(self, event: events.Key) -> None:
        """An answer's own key gives it at once."""
        for choice in self._choices[:-1]:
            if event.key == choice.key:
                event.stop()
                self.dismiss(choice.answer)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id or "cancel")

    def action_cancel(self) -> None:
        """Answer that nothing is to be done."""
        self.dismiss("cancel")


def _shown(key: str) -> str:
    return "esc" if key == "escape" else key


def quit_question(name: str, waiting: int = 0) -> QuestionScreen:
    """Asked before leaving while a session runs, so many waiting behind it."""
    stop = f"Stop it and {_behind(waiting)}, and quit" if waiting else "Stop it and quit"
    return QuestionScreen(
        f"{name} is still running.",
        (
            Choice("l", "leave", "Leave it running and quit; attach comes back to it"),
            Choice("s", "stop", f"{stop}; what was measured is kept"),
        ),
    )


def stop_question(name: str, waiting: int = 0) -> QuestionScreen:
    """Asked before stopping a session, so many waiting behind it."""
    question = f"Stop {name}? What was measured so far is kept."
    if not waiting:
        return QuestionScreen(question, (Choice("y", "stop", "Yes, stop it"),))
    return QuestionScreen(
        question,
        (
            Choice("y", "stop", "Yes, stop it; the next in the row begins"),
            Choice("r", "stop row", f"Stop it and {_behind(waiting)}"),
        ),
    )


def _behind(waiting: int) -> str:
    return "the one that waits behind it" if waiting == 1 else f"the {waiting} that wait behind it"


def skip_question(label: str, is_last: bool = False) -> QuestionScreen:
    """Asked before skipping the run that is on."""
    then = "It is the last run: the session then ends." if is_last else "The plan goes on with the next run."
    return QuestionScreen(
        f"Skip the rest of {label}? {then}",
        (Choice("y", "skip", "Yes, skip it"),),
    )


def wait_question(names: Sequence[str]) -> QuestionScreen:
    """Asked before starting a session while these, newest first, run or wait."""
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return QuestionScreen(
        f"{names[-1]}{others} would run beside it: each would disturb the other's figures.",
        (
            Choice("w", "wait", "Wait in the row behind, and begin when it has ended"),
            Choice("n", "now", "Start now, beside it"),
        ),
    )
