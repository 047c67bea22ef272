"""Values in a table of a preset by their keys, and a table with some of them replaced."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

S = TypeVar("S", bound=Struct)
FIT_FOR_RECORD = "expected text, a finite number, true or false, or lists and tables of these"
"""Phrase on the values that arguments may have."""


def with_changes(table: S, changes: Mapping[str, Any]) -> S:
    """Return a table with some of its keys replaced, of tables within it only those given.

    Raises msgspec.ValidationError where a value is not allowed.
    """
    return msgspec.convert(laid_over(msgspec.to_builtins(table), changes), type(table)) if changes else table


def laid_over(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with the keys of another in place of its own, and so with the tables in both."""
    merged = dict(table)
    for key, value in changes.items():
        before = merged.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[key] = laid_over(before or {}, value) if both else value
    return merged


def with_values(table: S, values: Mapping[str, Any]) -> S:
    """Return a table with other values for some dotted keys, as in `arguments.depth`.

    Raises msgspec.ValidationError where a value is not allowed.
    """
    changes: dict[str, Any] = {}
    for key, value in values.items():
        changes = laid_over(changes, _nested(key.split("."), value))
    return with_changes(table, changes)


def value_at(table: Struct, key: str) -> Any:
    """Return the value of a dotted key as TOML has it; None where there is none."""
    value = msgspec.to_builtins(table)
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return _without_tuples(value)


def _without_tuples(value: Any) -> Any:
    """Return a value with lists in place of tuples, which neither TOML nor JSON has."""
    return [_without_tuples(each) for each in value] if isinstance(value, list | tuple) else value


def unfit_for_record(value: Any) -> Iterator[Any]:
    """Yield the values in a value that a record cannot hold: those that JSON has no form for.

    Not a number and infinity would come back as nothing, and dates as text.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from unfit_for_record(part)
    elif not isinstance(value, str | bool | int | None) and not (
        isinstance(value, float) and math.isfinite(value)
    ):
        yield value


def flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a table and of all tables within it, by their dotted keys."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _nested(parts: Iterable[str], value: Any) -> dict[str, Any]:
    first, *rest = parts
    return {first: _nested(rest, value) if rest else value}
