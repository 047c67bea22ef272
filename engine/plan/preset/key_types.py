"""The types of a preset's keys, as they are declared."""

from __future__ import annotations

import re

import msgspec
from msgspec.inspect import DictType, NoneType, StructType, Type, UnionType, VarTupleType

from .preset import Preset


def type_at(path: str) -> Type:
    """Return the declared type at a path such as `workloads[...].augment[2]`."""
    node: Type = msgspec.inspect.type_info(Preset)
    path = re.sub(r"^without_gpus\.(?=\w)", "", path)  # the same keys, of which any may be left out
    for part in re.findall(r"[\w-]+|\[[^]]*\]", path):
        node = _optional(node)
        if isinstance(node, StructType):
            node = next((field.type for field in node.fields if field.encode_name == part), node)
        elif isinstance(node, DictType):
            node = node.value_type
        elif isinstance(node, VarTupleType):
            node = node.item_type
    return _optional(node)


def takes_list(key: str) -> bool:
    """Return whether a key takes a list of values, which are not tables."""
    node = type_at(key)
    return isinstance(node, VarTupleType) and not isinstance(node.item_type, StructType)


def _optional(node: Type) -> Type:
    """Return a type without the None that is allowed beside it."""
    if isinstance(node, UnionType):
        rest = [option for option in node.types if not isinstance(option, NoneType)]
        return rest[0] if len(rest) == 1 else node
    return node
