"""Tensors in any nesting: those in containers and in some objects, and those that are out of reach."""

from __future__ import annotations

import copy
from collections import UserDict, UserList, deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence, Set
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

Change = Callable[[Tensor], Tensor]

REACHED = "tuples, lists, deques, dicts, dataclasses, SimpleNamespaces and objects with a method to"
"""Where the tensors of a batch are looked for, in words."""
DEEPEST = 8
"""Levels of nesting down to which tensors out of reach are looked for."""


class OutOfReach(NamedTuple):
    """A tensor of a batch that `changed` leaves as it is."""

    place: str
    """Place in the batch, as in `batch[1].mask`."""
    holder: type
    """Type of the object that holds it."""


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
    if isinstance(batch, tuple | list | deque | UserList):
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
    is_record = isinstance(batch, SimpleNamespace) or callable(getattr(batch, "to", None))
    if isinstance(attributes, dict) and is_record:
        return _with_values(batch, attributes, setattr_of, change)
    return batch


def _changed_row(batch: Any, change: Change) -> Any:
    """Change a tuple with names, or of a class of its own, or such a list, or what is like a list."""
    if isinstance(batch, deque | UserList):
        return _with_values(batch, dict(enumerate(batch)), setitem_of, change)
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


def out_of_reach(batch: Any) -> OutOfReach | None:
    """Return the first tensor of a batch that `changed` leaves as it is; None if there is none."""
    reached = {id(tensor) for tensor in tensors_in(batch)}
    return next(_left_alone(batch, OutOfReach("batch", type(batch)), reached, set(), DEEPEST), None)


def _left_alone(
    value: Any, at: OutOfReach, reached: Set[int], seen: set[int], levels: int
) -> Iterator[OutOfReach]:
    """Yield the tensors within a value that are not among those reached.

    `at`: the value's place, and the type of the innermost object around it; `seen`: values looked at before.
    """
    if isinstance(value, Tensor):
        if id(value) not in reached:
            yield at
        return
    # Lengths of a packed sequence stay on the CPU on purpose.
    if levels == 0 or id(value) in seen or isinstance(value, PackedSequence):
        return
    seen.add(id(value))
    holder = at.holder if type(value) in (tuple, list, dict) else type(value)
    for name, part in _parts_of(value):
        yield from _left_alone(part, OutOfReach(f"{at.place}{name}", holder), reached, seen, levels - 1)


def _parts_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a container or an object holds, by how it is reached from it."""
    if isinstance(value, str | bytes | bytearray | type) or callable(value):
        return
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, Sequence | deque):
        yield from ((f"[{number}]", part) for number, part in enumerate(value))
    elif isinstance(value, Set):
        yield from (("", part) for part in value)
    else:
        slots = [name for kind in type(value).__mro__ for name in _names(vars(kind).get("__slots__", ()))]
        names = [*getattr(value, "__dict__", ()), *slots]
        yield from ((f".{name}", getattr(value, name)) for name in names if hasattr(value, name))


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)
