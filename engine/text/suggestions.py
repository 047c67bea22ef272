"""Suggestions for names that are not known."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], listed_by: str = "") -> str:
    """Return the end of a sentence about an unknown name: the closest known name, or all of them.

    `listed_by`: the command that lists the known names, named instead of them where they are many.
    """
    import difflib

    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; {listed_by} lists all" if listed_by else f"; choose from: {', '.join(names)}"
