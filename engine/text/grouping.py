"""Grouping of labels that share a text, so that a remark on several runs is written once."""

from __future__ import annotations

from collections.abc import Iterable

MOST_NAMES = 4


def group_labels(remarks: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (labels, text) for each distinct text, from pairs of a run's label and a text, in order."""
    labels_of: dict[str, list[str]] = {}
    for label, text in remarks:
        labels_of.setdefault(text, []).append(label)
    return [(_names(list(dict.fromkeys(labels))), text) for text, labels in labels_of.items()]


def _names(labels: list[str]) -> str:
    if len(labels) <= MOST_NAMES:
        return ", ".join(labels)
    return f"{', '.join(labels[: MOST_NAMES - 1])} and {len(labels) - MOST_NAMES + 1} more"
