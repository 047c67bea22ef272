"""Dialog that asks how far a tune may go: for how long, and what it may change."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ....engine.plan.remedy import ALLOWED_BY_DEFAULT, Cost, Tune
from ...widgets.footer import Footer
from ..base import ClosedOnce

ALLOWANCES: dict[Cost, str] = {
    "numerics": "other numbers: bf16, tf32, compressed gradients",
    "recipe": "other learning: a larger batch, accumulation",
    "memory": "more memory on the devices",
}
"""Changes that a tune may be allowed, by their cost."""
EXPLANATION = (
    "Tries one remedy after the other, keeps what helps beyond doubt, and measures the total anew at the end."
)
MOST_MINUTES = 7 * 24 * 60


class TuneScreen(ModalScreen[Tune | None], ClosedOnce[Tune | None]):
    """Dismissed with the bounds of the tune, or with None if cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Start", priority=True, id="tune.start", tooltip="Start the tune"),
        Binding("space", "choose", "Allow", id="tune.allow", tooltip="Allow this, or forbid it again"),
        Binding(
            "tab", "app.focus_next", "Minutes", id="tune.minutes", tooltip="From the list to the minutes"
        ),
        Binding("escape", "cancel", "Cancel", id="tune.cancel", tooltip="Close without starting anything"),
    ]

    def __init__(self, preset: str, run: str) -> None:
        """`run`: label of the run that is tuned."""
        super().__init__()
        self._subject = f"Tune {preset}: {run}"
        self._allowed: set[Cost] = set(ALLOWED_BY_DEFAULT)

    def compose(self) -> ComposeResult:
        """Compose what is tuned, what may change, the time, and a line for errors."""
        with Vertical(classes="box"):
            yield Static(self._subject, markup=False)
            yield Static(Content.styled(EXPLANATION, "$muted"), id="explanation")
            yield Static("It may change, besides the speed:", id="allowance", markup=False)
            yield OptionList(*(Option("", id=cost) for cost in ALLOWANCES), markup=False)
            minutes = Input(placeholder="no limit", id="minutes", compact=True)
            minutes.border_title = "for at most so many minutes"
            yield minutes
            yield Static(id="problem", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Show what may change by default: nothing that is learnt."""
        self._list.highlighted = 0
        self._list.focus()
        self._draw()

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    def _draw(self) -> None:
        for place, (cost, words) in enumerate(ALLOWANCES.items()):
            mark = "[x] " if cost in self._allowed else "[ ] "
            line = Content.assemble((mark, "$text-accent"), f"{cost:<9} ", (words, "$muted"))
            self._list.replace_option_prompt_at_index(place, line)

    def action_choose(self) -> None:
        """Allow the highlighted cost, or no longer."""
        chosen = self._list.highlighted_option
        if chosen is not None:
            self._allowed ^= {cost for cost in ALLOWANCES if cost == chosen.id}
            self._draw()

    @on(OptionList.OptionSelected)
    def _clicked(self) -> None:
        self.action_choose()

    @on(Input.Changed)
    def _typed(self) -> None:
        self.query_one("#problem", Static).update(Content.styled(self._problem(), "$text-error"))

    def _problem(self) -> str:
        try:
            self._minutes()
        except ValueError:
            return (
                f"Expected a number of minutes, up to {MOST_MINUTES:,}, or nothing for as long as it takes."
            )
        return ""

    def _minutes(self) -> float | None:
        """Return the minutes; None for no limit. Raises ValueError where it is no such number."""
        text = self.query_one(Input).value.strip()
        if not text:
            return None
        minutes = float(text)
        if not 0 < minutes <= MOST_MINUTES:
            raise ValueError
        return minutes

    def action_accept(self) -> None:
        """Close with the bounds, unless the minutes are wrong."""
        if self._problem():
            self.app.bell()
            self.query_one(Input).focus()
        else:
            allow = tuple(cost for cost in ALLOWANCES if cost in self._allowed)
            self.dismiss(Tune(allow=allow, minutes=self._minutes()))

    def action_cancel(self) -> None:
        """Close without starting anything."""
        self.dismiss(None)
