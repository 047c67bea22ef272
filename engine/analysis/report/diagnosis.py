"""Diagnoses as text, for reports and terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from ...text.markdown import one_line, section
from ..diagnosis.case import Diagnosis

MOST_EVIDENCE = 8
"""Most figures shown of each diagnosis; JSON has all."""


def diagnosis_section(found: Sequence[Diagnosis]) -> Iterator[str]:
    """Yield the report's section: each diagnosis with its evidence and remedy."""
    lines = []
    for diagnosis in found:
        lines.append(f"- **{diagnosis.name}** ({diagnosis.severity}): {one_line(diagnosis.sentence)}.")
        lines += [f"  - {one_line(figure)}" for figure in _figures(diagnosis)]
        lines.append(f"  - Try: {one_line(diagnosis.remedy)}.")
    return section("Diagnosis", lines)


def diagnosis_text(found: Sequence[Diagnosis], width: int) -> list[str]:
    """Return the same as lines for a terminal, wrapped at `width` columns."""
    lines = []
    for diagnosis in found:
        lines += _wrapped(f"{diagnosis.severity}: {diagnosis.name}: {diagnosis.sentence}", width, "")
        lines += _wrapped("; ".join(_figures(diagnosis)), width, "  ")
        lines += _wrapped(f"try: {diagnosis.remedy}", width, "  ")
    return lines


def _figures(diagnosis: Diagnosis) -> list[str]:
    shown = [f"{item.what}: {item.value}" for item in diagnosis.evidence[:MOST_EVIDENCE]]
    more = len(diagnosis.evidence) - len(shown)
    return [*shown, f"and {more} more"] if more else shown


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, max(width, 20), initial_indent=indent, subsequent_indent=f"{indent}  ")
