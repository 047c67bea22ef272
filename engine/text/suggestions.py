"""Suggestions for names that are not known."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown name: the closest known name, or all of them."""
    import difflib

    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else f"; choose from: {', '.join(names)}"
