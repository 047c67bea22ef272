"""Claims that these tests confirm, and the page that lists where each was confirmed.

A claim is a test function's name, and a row of the page whose words are that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "hardware.md"
NOT_YET = "not yet"
NOT_THERE = "–"
"""Entry of a claim that does not apply to a kind of device."""

Outcome = Literal["confirmed", "failed", "skipped"]
Where = Literal["gpu", "cpu"]
COLUMN: dict[Where, int] = {"gpu": 1, "cpu": 2}


def name_of(words: str) -> str:
    """Return the name of the test of a claim, without `test_`."""
    plain = words.lower().replace("'", "").replace("%", " percent")
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def claim_of(node: str) -> str:
    """Return the claim that a test, given by its node id, is a case of."""
    return node.rpartition("::")[2].partition("[")[0].removeprefix("test_")


def rows_of(page: str) -> dict[str, str]:
    """Return the claims of the page in their own words, by the name of their test."""
    found = {}
    for line in page.splitlines():
        cells = _cells(line)
        if len(cells) > COLUMN["gpu"] and not set(cells[0]) <= set(":- ") and cells[0] != "claim":
            found[name_of(cells[0])] = cells[0]
    return found


def brought_up_to_date(
    page: str, outcomes: dict[str, Outcome], where: Where, device: str, circumstances: str
) -> str:
    """Return the page with this machine's outcomes in place of its earlier ones."""
    lines = page.splitlines()
    for number, line in enumerate(lines):
        cells = _cells(line)
        outcome = outcomes.get(name_of(cells[0])) if cells else None
        column = COLUMN[where]
        if outcome not in ("confirmed", "failed") or len(cells) <= column:
            continue
        others = [
            entry
            for entry in cells[column].split("<br>")
            if entry not in (NOT_YET, NOT_THERE) and f" on {device}, " not in entry
        ]
        cells[column] = "<br>".join([*others, f"{outcome} on {device}, {circumstances}"])
        lines[number] = f"| {' | '.join(cells)} |"
    return "\n".join(lines) + "\n"


def table(rows: Iterable[tuple[str, Outcome, str]]) -> list[str]:
    """Return lines for a terminal: outcome, claim, and the measured figures or the reason for a skip."""
    listed = list(rows)
    width = max((len(words) for words, _, _ in listed), default=0)
    return [f"{outcome:9}  {words:{width}}  {detail}".rstrip() for words, outcome, detail in listed]


def _cells(line: str) -> list[str]:
    if not line.startswith("|"):
        return []
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
