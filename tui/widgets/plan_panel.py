"""The panel of a preset's plan on this machine, with the warnings about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from .panel import Panel

if TYPE_CHECKING:
    from ..data.planned_presets import Inspection, PlannedPreset


class PlanPanel(Panel):
    """Shows the plan, its warnings in a line each unless they are opened."""

    opened = False
    """Whether warnings are shown in full."""

    def draw(
        self,
        inspection: Inspection,
        planned: PlannedPreset | None,
        selected: Sequence[PlannedPreset],
        overrides: Sequence[str],
        problem: str,
    ) -> None:
        """Show the plan of a preset, below a line on the selected ones if there are any."""
        from ..render.planned_preset import preset_text, selection_line

        text = preset_text(inspection, planned, overrides, problem, self.columns, self.opened)
        self.show(Content("\n\n").join([*([selection_line(selected)] if selected else []), text]))
