"""Overrides of a preset from the command line: the `key=value` of a `--set`, or a whole `--vary key=a,b`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ...text.files import parse_toml
from .errors import PresetError
from .key_types import takes_list

VARY = "--vary "
"""Beginning of an override that varies a key of the workload; all others are those of `--set`."""
VARIED = "matrix.vary."
"""Beginning of the key of a variable under test."""
BATCHES = "matrix.batches"
"""Key of the batches, which are varied under a name of their own."""
ALTERNATIVE = re.compile(r"""(?:\[[^]]*\]|"[^"]*"|'[^']*'|[^,])+""")
"""One of several values that commas separate; those within brackets and quotes separate none."""
PERCENTAGE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*%")
"""A share in percent, as in `1%`."""
OVERLAY = "without_gpus"
"""Table whose keys replace others on machines without GPUs."""


def as_typed(override: str) -> str:
    """Return the option as it was typed, as in `--set workload.batch=64`."""
    return override if override.startswith(VARY) else f"--set {override}"


def overridden_key(override: str) -> str:
    """Return the key of the preset that an override gives a value."""
    key = override.removeprefix(VARY).partition("=")[0].strip()
    if override.startswith(VARY):
        key = VARIED + key.removeprefix("workload.")
    return BATCHES if key == f"{VARIED}batch" else key


def of_override(error: PresetError, overrides: Sequence[str]) -> PresetError:
    """Return an error as that of the override that gave the key its value, if one of them did."""
    key = re.sub(r"\[[^]]*\]", "", error.key)
    of_all = re.sub(r"^workloads\.[^.]+\.", "workload.", key)
    for override in reversed(overrides):
        given = overridden_key(override)
        if key and any(_is_within(one, given) or _is_within(given, one) for one in (key, of_all)):
            return PresetError(as_typed(override), error.key, error.problem)
    return error


def _is_within(key: str, table: str) -> bool:
    return key == table or key.startswith(f"{table}.")


def apply_override(table: dict[str, Any], override: str) -> None:
    """Give a key of a preset, as parsed from TOML, the value of an override. Raises `PresetError`.

    What `[without_gpus]` says of that key goes, for an override counts everywhere.
    """
    key = overridden_key(override)
    text = override.partition("=")[2]
    if "=" not in override or not re.fullmatch(r"[\w-]+(\.[\w-]+)*", key):
        example = "key=a,b, as in --vary precision=fp32,bf16"
        if not override.startswith(VARY):
            example = "key=value, as in --set workload.batch=64"
        raise PresetError(as_typed(override), "", f"expected {example}")
    value = _alternatives(text, override) if override.startswith(VARY) else _value(text, override)
    if takes_list(key) and not isinstance(value, list):
        value = _alternatives(text, override)  # one value is a list of one, and words need no quotes
    *parents, last = _parts(key)
    _drop(table.get(OVERLAY), parents, last)
    for parent in parents:
        child = table.setdefault(parent, {})
        if not isinstance(child, dict):
            raise PresetError(as_typed(override), "", f"{parent} is a value, not a table")
        table = child
    table[last] = value


def _parts(key: str) -> list[str]:
    """Return the names of the tables on the way to a key, and its own; that of a varied key has dots."""
    before, vary, varied = key.partition(VARIED)
    if vary and before in ("", f"{OVERLAY}."):
        return [*f"{before}{VARIED}".strip(".").split("."), varied]
    return key.split(".")


def _drop(overlay: Any, parents: Sequence[str], key: str) -> None:
    for parent in parents:
        overlay = overlay.get(parent) if isinstance(overlay, dict) else None
    if isinstance(overlay, dict):
        overlay.pop(key, None)


def _value(text: str, override: str) -> Any:
    """Parse a TOML value or a percentage; take anything else as a string, so that words need no quotes."""
    if percentage := PERCENTAGE.fullmatch(text.strip()):
        return float(percentage[1]) / 100
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        if re.fullmatch(r"[+-]?[1-9]\d*", text.strip()):
            problem = "expected a whole number of at most 64 bits"
            raise PresetError(as_typed(override), "", problem) from None
        return text.strip()


def _alternatives(text: str, override: str) -> list[Any]:
    """Return the values that are separated by commas, as a list or without its brackets."""
    pieces = [each.strip() for each in ALTERNATIVE.findall(text) if each.strip()]
    found = [_value(each, override) for each in pieces]
    for index, (piece, value) in enumerate(zip(pieces, found, strict=True)):
        if isinstance(value, str) and piece.startswith("["):  # a list of words without quotes
            found[index] = [_value(word, override) for word in piece.strip("[]").split(",") if word.strip()]
    return found[0] if len(found) == 1 and isinstance(found[0], list) else found
