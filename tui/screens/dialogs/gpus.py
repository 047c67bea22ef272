"""Dialog that asks which GPUs runs may use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ....engine.text.grouping import index_ranges
from ...data.gpu_users import GpuState
from ...render.gpu_glance import gpu_choice
from ...widgets.footer import Footer
from ...widgets.preset_list import move_on
from ..base import ClosedOnce


class GpusScreen(ModalScreen[tuple[int, ...] | None], ClosedOnce[tuple[int, ...] | None]):
    """Dismissed with the indices of the chosen GPUs, or with None if cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", "Choose", id="gpus.choose", tooltip="Select or deselect this GPU"),
        Binding("enter", "accept", "OK", priority=True, id="gpus.accept", tooltip="Use the marked GPUs"),
        Binding("a", "choose_all", "All", id="gpus.all", tooltip="Mark all GPUs"),
        Binding("f", "choose_free", "Free", id="gpus.free", tooltip="Mark the GPUs that nobody uses"),
        Binding("n", "choose_none", "None", id="gpus.none", tooltip="Mark none"),
        Binding("escape", "cancel", "Cancel", id="gpus.cancel", tooltip="Close without choosing"),
    ]

    def __init__(self, states: Sequence[GpuState]) -> None:
        super().__init__()
        self._states = states
        self._chosen = {state.gpu.index for state in states if state.is_chosen}

    def compose(self) -> ComposeResult:
        """Compose the question above the GPUs, and what the choice comes to below them."""
        with Vertical(classes="box"):
            yield Static("GPUs for the runs of every preset:", markup=False)
            yield OptionList(*(Option("", id=str(state.gpu.index)) for state in self._states), markup=False)
            yield Static(id="choice", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Mark the GPUs chosen so far."""
        self._list.focus()
        self._draw()

    def on_resize(self) -> None:
        """Draw the GPUs to the new width."""
        self.call_after_refresh(self._draw)

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    def _draw(self) -> None:
        width = max(20, self.query_one(".box").size.width - 4)
        names = len({state.gpu.name for state in self._states}) > 1
        for place, state in enumerate(self._states):
            mark = "[x] " if state.gpu.index in self._chosen else "[ ] "
            line = Content.assemble((mark, "$text-accent"), gpu_choice(state, width - len(mark), names))
            self._list.replace_option_prompt_at_index(place, line)
        self.query_one("#choice", Static).update(self._choice())

    def _choice(self) -> Content:
        if not self._chosen:
            return Content.styled("Mark at least one.", "$text-error")
        if len(self._chosen) == len(self._states):
            return Content.styled("All GPUs, as without --gpus.", "$muted")
        return Content.styled(f"As --gpus {index_ranges(sorted(self._chosen)).replace(' ', '')}.", "$muted")

    def _choose(self, wanted: set[int]) -> None:
        self._chosen = wanted
        self._draw()

    def action_choose(self) -> None:
        """Mark the highlighted GPU, or no longer, and move to the next."""
        if self._list.highlighted is not None:
            self._choose(self._chosen ^ {self._states[self._list.highlighted].gpu.index})
            move_on(self._list)

    @on(OptionList.OptionSelected)
    def _clicked(self) -> None:
        self.action_choose()

    def action_choose_all(self) -> None:
        """Mark all GPUs."""
        self._choose({state.gpu.index for state in self._states})

    def action_choose_free(self) -> None:
        """Mark the GPUs that nobody uses."""
        self._choose({state.gpu.index for state in self._states if not state.users and not state.is_taken})

    def action_choose_none(self) -> None:
        """Mark none."""
        self._choose(set())

    def action_accept(self) -> None:
        """Close with the marked GPUs, if there are any."""
        if self._chosen:
            self.dismiss(tuple(sorted(self._chosen)))
        else:
            self.app.bell()

    def action_cancel(self) -> None:
        """Close without choosing."""
        self.dismiss(None)
