"""Tensors in any nesting: tuples, lists, tables, dataclasses, and objects that can be moved themselves."""

from __future__ import annotations

import copy
from collections import UserDict
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

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
    if isinstance(batch, tuple | list):
        return _changed_row(batch, change)
    if is_dataclass(batch) and not isinstance(batch, type):
        names = [field.name for field in fields(batch) if hasattr(batch, field.name)]
        return _with_values(batch, {name: getattr(batch, name) for name in names}, setattr_of, change)
    if isinstance(batch, MutableMapping):
        return _with_values(batch, dict(batch), setitem_of, change)
    if isinstance(batch, Mapping):
        make: Any = type(batch)
        return make({key: changed(value, change) for key, value in batch.items()})
    # A graph or a record of a library: its tensors are its attributes.
    attributes = getattr(batch, "__dict__", None)
    if isinstance(attributes, dict) and callable(getattr(batch, "to", None)):
        return _with_values(batch, attributes, setattr_of, change)
    return batch


def _changed_row(batch: Any, change: Change) -> Any:
    """Change a tuple with names, or of a class of its own, or such a list."""
    if isinstance(batch, PackedSequence):  # it wants the lengths of its rows on the CPU
        values, lengths, *orders = batch
        return PackedSequence(changed(values, change), lengths, *(changed(each, change) for each in orders))
    if hasattr(batch, "_fields"):
        return type(batch)(*(changed(each, change) for each in batch))
    return type(batch)(changed(each, change) for each in batch)


def _with_values(
    batch: Any, values: Mapping[Any, Any], put: Callable[[Any, Any, Any], None], change: Change
) -> Any:
    new = {key: changed(value, change) for key, value in values.items()}
    if all(new[key] is value for key, value in values.items()):
        return batch
    twin = copy.copy(batch)
    if isinstance(twin, UserDict) and twin.data is batch.data:  # which a copy shares with its original
        twin.data = dict(batch.data)
    for key, value in new.items():
        put(twin, key, value)
    return twin


def setattr_of(target: Any, name: str, value: Any) -> None:
    """Set an attribute, of a frozen dataclass too."""
    object.__setattr__(target, name, value)


def setitem_of(target: Any, key: Any, value: Any) -> None:
    """Set an item."""
    target[key] = value
