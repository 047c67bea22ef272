"""Changes of a preset: the keys in which one differs from the file that it was read from."""

from __future__ import annotations

import msgspec

from ...text.toml import toml_value
from .preset import Preset
from .values import flat

WHAT_COUNTS = ("workload", "workloads", "measure", "matrix", "without_gpus")
"""Tables that change what is measured; titles and descriptions do not."""
UNSET = "unset"
REDUCED = "without_gpus."
"""Beginning of the keys of the reduced form."""


def changed_keys(before: Preset, after: Preset) -> dict[str, str]:
    """Return the value as TOML of each key that differs, by its name as in `workload.batch`.

    A change that named workloads or `[without_gpus]` only repeat is given once, as that of `[workload]`.
    """
    old, new = _values(before), _values(after)
    changed = {key: new.get(key, UNSET) for key in {**new, **old} if new.get(key) != old.get(key)}
    for key in [key for key in changed if key.startswith(REDUCED) and changed[key] == UNSET]:
        # An override takes the key out of [without_gpus], and so counts there too.
        changed[key.removeprefix(REDUCED)] = new.get(key.removeprefix(REDUCED), UNSET)
        del changed[key]
    return {key: value for key, value in changed.items() if changed.get(_default_of(key)) != value}


def _default_of(key: str) -> str:
    """Return the key of `[workload]` that a named workload's key is laid over; empty for other keys."""
    table, _, rest = key.partition(".")
    return f"workload.{rest.partition('.')[2]}" if table == "workloads" else ""


def _values(preset: Preset) -> dict[str, str]:
    """Return every value of a preset as TOML by its key; keys without a value are left out."""
    table = msgspec.to_builtins(preset)
    counting = {name: table[name] for name in WHAT_COUNTS}
    return {key: toml_value(value) for key, value in flat(counting) if value is not None}
