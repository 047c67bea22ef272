"""Diagnoses as text, for reports and terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from ...plan.remedy import Remedy
from ...text.markdown import code_span, one_line, section
from ...text.toml import toml_value
from ...text.units import ratio
from ..diagnosis.case import Diagnosis

MOST_EVIDENCE = 8
"""Most figures shown of each diagnosis; JSON has all."""


def diagnosis_section(found: Sequence[Diagnosis]) -> Iterator[str]:
    """Yield the report's section: each diagnosis with its evidence and advice."""
    lines = []
    for diagnosis in found:
        lines.append(f"- **{diagnosis.name}** ({diagnosis.severity}): {one_line(diagnosis.sentence)}.")
        lines += [f"  - {one_line(figure)}" for figure in _figures(diagnosis)]
        lines.append(f"  - Try: {one_line(diagnosis.advice)}.")
        if diagnosis.remedies:
            lines.append(f"  - {one_line(remedies_lead(diagnosis))}")
            lines += [f"    - {one_line(remedy_text(each))}: {_changes(each)}" for each in diagnosis.remedies]
    return section("Diagnosis", lines)


def diagnosis_text(found: Sequence[Diagnosis], width: int) -> list[str]:
    """Return the same as lines for a terminal, wrapped at `width` columns."""
    lines = []
    for diagnosis in found:
        lines += _wrapped(f"{diagnosis.severity}: {diagnosis.name}: {diagnosis.sentence}", width, "")
        lines += _wrapped("; ".join(_figures(diagnosis)), width, "  ")
        lines += _wrapped(f"try: {diagnosis.advice}", width, "  ")
        if diagnosis.remedies:
            lines += _wrapped(f"{remedies_lead(diagnosis)} {remedies_text(diagnosis)}", width, "  ")
    return lines


def remedies_lead(diagnosis: Diagnosis) -> str:
    """Return the words that lead to the remedies of a diagnosis: of which run, where it is about several."""
    where = f" on {diagnosis.tried_on}" if len(diagnosis.runs) > 1 else ""
    return f"the program can try{where}:"


def remedies_text(diagnosis: Diagnosis) -> str:
    """Return the remedies of a diagnosis in one line."""
    return "; ".join(map(remedy_text, diagnosis.remedies))


def remedy_text(remedy: Remedy) -> str:
    """Return a remedy with its costs and what it can bring: `bf16 gradients (numerics; at most 1.32x)`."""
    bound = f"at most {ratio(remedy.ceiling)}" if remedy.ceiling is not None else "no bound is known"
    return f"{remedy.name} ({'; '.join(filter(None, [', '.join(remedy.costs), bound]))})"


def _changes(remedy: Remedy) -> str:
    """Return the changes of a remedy as a preset has them, in Markdown."""
    return ", ".join(code_span(f"{key} = {toml_value(value)}") for key, value in remedy.changes.items())


def _figures(diagnosis: Diagnosis) -> list[str]:
    shown = [f"{item.what}: {item.value}" for item in diagnosis.evidence[:MOST_EVIDENCE]]
    more = len(diagnosis.evidence) - len(shown)
    return [*shown, f"and {more} more"] if more else shown


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, max(width, 20), initial_indent=indent, subsequent_indent=f"{indent}  ")
