"""Several names in one text: labels that share a remark, the first of many, ranges of indices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST_NAMES = 4


def group_labels(remarks: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (labels, text) for each distinct text, from pairs of a run's label and a text, in order."""
    labels_of: dict[str, list[str]] = {}
    for label, text in remarks:
        labels_of.setdefault(text, []).append(label)
    return [(_names(list(dict.fromkeys(labels))), text) for text, labels in labels_of.items()]


def index_ranges(indices: Sequence[int]) -> str:
    """Return indices in rising order, as `--gpus` takes them: `0, 2-5`."""
    parts: list[list[int]] = []
    for index in sorted(indices):
        if parts and index == parts[-1][-1] + 1:
            parts[-1].append(index)
        else:
            parts.append([index])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def first_names(names: Sequence[str], most: int = 3) -> str:
    """Return the first of some names, and how many others there are: `a, b, c and 4 more`."""
    text = ", ".join(names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text


def _names(labels: list[str]) -> str:
    """Join labels; with semicolons where one has a comma, as in `single x1, bf16; ddp x2, bf16`."""
    shown = labels if len(labels) <= MOST_NAMES else labels[: MOST_NAMES - 1]
    left = len(labels) - len(shown)
    text = ("; " if any("," in label for label in shown) else ", ").join(shown)
    return f"{text} and {left} more" if left else text
