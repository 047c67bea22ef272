"""Explanation of msgspec's errors in the words of TOML and of the preset's keys."""

from __future__ import annotations

import difflib
import re

from msgspec.inspect import FloatType, IntType, LiteralType, StructType, UnionType

from .key_types import type_at
from .other_names import OTHER_NAMES

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "datetime": "a date",
    "date": "a date",
    "time": "a time",
}
"""Kinds of TOML values, by msgspec's names."""
GOT = KINDS | {"float": "a fraction"}
BOUNDS = {">=": "of {} or more", ">": "above {}", "<=": "of {} at most", "<": "below {}"}
LENGTHS = {">=": "with {} or more entries", "<=": "with {} entries at most"}
BEGUN, FEWEST_LETTERS = 0.95, 3
"""Likeness of a key to its beginning, and the letters from which that is recognised."""
TABLES = ("workload", "measure", "matrix")
"""Tables in which a misplaced key may belong."""
LIKE, HERE = 0.7, 1.25
"""Least likeness of a key to the one suggested, 0 to 1, and the weight of a suggestion in its own table."""


def explain(message: str, root: str = "") -> tuple[str, str]:
    """Turn `Expected ... - at `$.a.b`` into the key `a.b` and the problem, with what would be right there.

    `root` is the key of the table that was converted; empty for the whole preset.
    """
    problem, _, at = message.partition(" - at ")
    path = _join(root, at.strip("`").removeprefix("$").lstrip("."))
    unknown = re.search(r"unknown field `(.+)`", problem)
    if unknown:
        return _join(path, unknown[1]), f"no such key; {_instead(path, unknown[1])}"
    missing = re.search(r"missing required field `(.+)`", problem)
    if missing:
        return _join(path, missing[1]), "missing"
    allowed = _literals(path)
    word = re.search(r"enum value ('.*')", problem)
    said = f"{word[1]} is not known here" if word else _in_words(problem)
    return path or "preset", said + (f"; allowed: {', '.join(allowed)}" if allowed else "")


def _in_words(problem: str) -> str:
    """Turn `Expected `int` >= 1` into `expected a whole number of 1 or more`."""
    parts = re.fullmatch(r"Expected `([^`]+)`( of length)?(?: (>=|>|<=|<) (\S+))?(?:, got `(\w+)`)?", problem)
    if parts is None:
        return problem[0].lower() + problem[1:].replace("`", "")
    kinds, of_length, sign, bound, got = parts.groups()
    wanted = " or ".join(KINDS.get(kind, kind) for kind in kinds.split(" | ") if kind != "null")
    said = f"expected {wanted}"
    if sign is not None:
        said += " " + (LENGTHS if of_length else BOUNDS)[sign].format(f"{float(bound):.12g}")
    return said + (f", got {GOT.get(got, got)}" if got else "")


def _instead(path: str, key: str) -> str:
    """Suggest the key that was likely meant, here or in another table, or list all that are allowed here."""
    here = [_join(path, field) for field in _fields(path)]
    elsewhere = [f"{table}.{field}" for table in TABLES if table != path for field in _fields(table)]
    likeness = {name: _likeness(key, name) for name in elsewhere}
    likeness |= {name: _likeness(key, name) * HERE for name in here}
    meant = max(likeness, key=likeness.__getitem__, default="")
    if likeness.get(meant, 0.0) >= LIKE:
        return f"did you mean {meant}?"
    return f"allowed here: {', '.join(_fields(path))}"


def _likeness(key: str, name: str) -> float:
    """Return how alike a typed key and a known one are, 0 to 1; also by its beginning or name elsewhere."""
    known, typed = name.rpartition(".")[2], key.replace("-", "_")
    if OTHER_NAMES.get(typed) == known:
        return 1.0
    if typed != known and len(typed) >= FEWEST_LETTERS and known.startswith(typed):
        return BEGUN
    return difflib.SequenceMatcher(None, typed, known).ratio()


def _join(*parts: str) -> str:
    return ".".join(filter(None, parts))


def _fields(path: str) -> list[str]:
    node = type_at(path)
    return [field.encode_name for field in node.fields] if isinstance(node, StructType) else []


def _literals(path: str) -> list[str]:
    """Return the words allowed at a path, if it takes words."""
    node = type_at(path)
    options = node.types if isinstance(node, UnionType) else (node,)
    allowed = [str(value) for option in options if isinstance(option, LiteralType) for value in option.values]
    for kind, words in ((IntType, "or a whole number"), (FloatType, "or a number")):
        if allowed and any(isinstance(option, kind) for option in options):
            allowed.append(words)
    return allowed
