"""Diagnoses as text: a sentence each, with evidence and advice on demand."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from ...engine.analysis.diagnosis.case import Diagnosis
from ...engine.analysis.report.diagnosis import remedies_lead, remedies_text
from .drawing.grid import wrapped

SEVERITY_STYLES = {"severe": "$text-error", "warning": "$text-warning", "info": "$text-primary"}


def diagnosis_lines(diagnosis: Diagnosis, width: int, with_evidence: bool) -> Content:
    """Return the diagnosis in lines of `width` cells."""
    lead = f"{diagnosis.severity}: "
    sentence = wrapped(f"{diagnosis.sentence}.", width, lead=lead)
    lines = [sentence.stylize(SEVERITY_STYLES[diagnosis.severity], 0, len(lead))]
    if with_evidence:
        lines.append(wrapped(diagnosis.name, width, "$muted", indent=2))
        lines += [
            wrapped(evidence.value, width, "bold", indent=2, lead=f"{evidence.what}: ")
            for evidence in diagnosis.evidence
        ]
        lines.append(wrapped(f"{diagnosis.advice}.", width, "$text-accent", indent=2, lead="Try: "))
        if diagnosis.remedies:
            lead = f"{remedies_lead(diagnosis)[0].upper()}{remedies_lead(diagnosis)[1:]} "
            lines.append(wrapped(remedies_text(diagnosis), width, "$text-accent", indent=2, lead=lead))
    return Content("\n").join(lines)


def fitting_diagnoses(diagnoses: Sequence[Diagnosis], width: int, height: int) -> int:
    """Return how many diagnoses fit into `height` lines, at least one, with a line for the others if any."""
    heights = [diagnosis_lines(one, width, False).plain.count("\n") + 1 for one in diagnoses]
    if sum(heights) <= height:
        return len(diagnoses)
    count = 1
    while sum(heights[: count + 1]) < height:
        count += 1
    return count


def more_diagnoses(diagnoses: Sequence[Diagnosis]) -> Content:
    """Return a line that counts the diagnoses not shown, by severity."""
    severities = [one.severity for one in diagnoses]
    several = severities.count("warning") > 1
    counts = [
        f"{severities.count(one)} {one}{'s' if several and one == 'warning' else ''}"
        for one in dict.fromkeys(severities)
    ]
    return Content.styled(f"and {len(diagnoses)} more: {', '.join(counts)}", "$text-accent")
