"""Tensors in any nesting: tuples, lists, tables, dataclasses, and objects that can be moved themselves."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

Change = Callable[[Tensor], Tensor]


def tensors_in(batch: Any) -> Iterator[Tensor]:
    """Yield all tensors of a batch, in its order."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    changed(batch, keep)
    yield from found


def changed(batch: Any, change: Change) -> Any:
    """Return a batch of the same nesting with each of its tensors changed; other values stay as they are."""
    if isinstance(batch, Tensor):
        return change(batch)
    kind = type(batch)
    if kind is tuple or kind is list:
        return kind([changed(each, change) for each in batch])
    if kind is dict:
        return {key: changed(value, change) for key, value in batch.items()}
    return _changed_object(batch, change)


def _changed_object(batch: Any, change: Change) -> Any:
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(changed(each, change) for each in batch))
    if isinstance(batch, tuple | list):
        return type(batch)(changed(each, change) for each in batch)
    if is_dataclass(batch) and not isinstance(batch, type):
        return _with_values(
            batch, {f.name: getattr(batch, f.name) for f in fields(batch)}, setattr_of, change
        )
    if isinstance(batch, Mapping):
        return _with_values(batch, dict(batch), setitem_of, change)
    # A graph or a record of a library: its tensors are its attributes.
    attributes = getattr(batch, "__dict__", None)
    if isinstance(attributes, dict) and callable(getattr(batch, "to", None)):
        return _with_values(batch, attributes, setattr_of, change)
    return batch


def _with_values(
    batch: Any, values: Mapping[Any, Any], put: Callable[[Any, Any, Any], None], change: Change
) -> Any:
    new = {key: changed(value, change) for key, value in values.items()}
    if all(new[key] is value for key, value in values.items()):
        return batch
    twin = copy.copy(batch)
    if isinstance(twin, Mapping) and getattr(twin, "data", None) is getattr(batch, "data", twin):
        twin.data = dict(batch.data)  # type: ignore[attr-defined] # a UserDict shares it with its copy
    for key, value in new.items():
        put(twin, key, value)
    return twin


def setattr_of(target: Any, name: str, value: Any) -> None:
    """Set an attribute, of a frozen dataclass too."""
    object.__setattr__(target, name, value)


def setitem_of(target: Any, key: Any, value: Any) -> None:
    """Set an item."""
    target[key] = value
