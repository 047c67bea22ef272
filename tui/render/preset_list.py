"""The launch screen's list of presets as text: grouping, filtering and the lines of each preset."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

if TYPE_CHECKING:
    from ..data.planned_presets import PlannedPreset

YOURS = "Yours"
"""Heading of the user's presets that belong to no group."""


def grouped_presets(presets: Sequence[PlannedPreset]) -> dict[str, list[PlannedPreset]]:
    """Group the presets by the question of their group, with the user's own that have none last."""
    groups: dict[str, list[PlannedPreset]] = {}
    for planned in sorted(presets, key=lambda planned: _group(planned) == YOURS):
        groups.setdefault(_group(planned), []).append(planned)
    return groups


def _group(planned: PlannedPreset) -> str:
    return (planned.preset.group if planned.preset is not None else "") or YOURS


def preset_lines(
    planned: PlannedPreset, width: int, with_question: bool, group: str, with_name: bool = False
) -> list[Content]:
    """Return title and question of a preset in lines of `width` cells, under the heading `group`.

    `with_name`: give its name too, as others have the same title.
    """
    if planned.preset is None:
        return [Content(planned.file.name), Content.styled("cannot be used", "$text-error")]
    title = planned.preset.title
    if planned.file.instead_of:
        title += f"  (yours, instead of {planned.file.instead_of})"
    elif planned.file.own and group != YOURS:
        title += "  (yours)"
    if with_name:
        title += f"  [{planned.file.name}]"
    lines = [Content(line) for line in textwrap.wrap(title, width) or [planned.file.name]]
    if planned.error is not None:
        return [*lines, Content.styled("cannot be used", "$text-error")]
    if with_question and planned.preset.question != group:
        lines += [Content.styled(line, "$muted") for line in textwrap.wrap(planned.preset.question, width)]
    return lines


def matches_filter(planned: PlannedPreset, text: str) -> bool:
    """Return whether the preset's name, title, question, group or models contain each word of the text."""
    texts = [planned.file.name]
    # The whole preset too: a reduced form may train another model.
    for preset in filter(None, (planned.preset, planned.whole)):
        workloads = preset.workloads.values() or [preset.workload]
        texts += [preset.title, preset.question, preset.group, *(workload.model for workload in workloads)]
    searched = " ".join(texts).lower()
    return all(word in searched for word in text.lower().split())
