"""Remedies in words: what they change, what they cost, and what they bring at most."""

from __future__ import annotations

from textual.content import Content

from ...engine.plan.remedy import Remedy, costs_in_words
from ...engine.text.toml import toml_value
from ...engine.text.units import ratio
from .drawing.grid import shortened, wrapped

GAP = 2
"""Cells between a remedy's name and its ceiling at least."""


def ceiling_in_words(remedy: Remedy) -> str:
    """Return the most that a remedy can bring: `at most 1.32x`; empty where the evidence sets no bound."""
    return "" if remedy.ceiling is None else f"at most {ratio(remedy.ceiling)}"


def remedy_choice(remedy: Remedy, width: int) -> Content:
    """Return a remedy in lines of `width` cells: name and ceiling, then the changes and what they cost."""
    ceiling = ceiling_in_words(remedy)
    name = shortened(remedy.name, max(1, width - len(ceiling) - GAP))
    gap = " " * max(GAP, width - len(name) - len(ceiling)) if ceiling else ""
    changes = ", ".join(f"{key} = {toml_value(value)}" for key, value in remedy.changes.items())
    costs = costs_in_words(remedy.costs) or "changes nothing but the speed"
    below = wrapped(f"{changes}; {costs}", width, "$muted", indent=2)
    return Content("\n").join([Content.assemble(name, gap, (ceiling, "$text-accent")), below])
