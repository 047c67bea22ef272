"""The reference of a preset's keys, read from their declaration in `preset`: values, defaults, meanings."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import NamedTuple, get_args

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.inspect import (
    BoolType,
    DictType,
    Field,
    FloatType,
    IntType,
    LiteralType,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
)

from ..text.files import LARGEST
from ..text.toml import toml_value
from . import preset


class KeyReference(NamedTuple):
    """One key of a preset file."""

    name: str
    values: str
    """Allowed values in words, as in `integer from 1`."""
    default: str
    """Default in TOML; `required` where there is none, `-` where it is to be absent."""
    meaning: str
    """Docstring of the key, in one line."""


class TableReference(NamedTuple):
    """One table of a preset file, or the keys at its top."""

    path: str
    """Header in TOML, as in `[workload]` or `[[published]]`; empty at the top of the file."""
    meaning: str
    keys: tuple[KeyReference, ...]


def preset_reference() -> list[TableReference]:
    """Return every table of a preset, in the order in which their keys are declared."""
    tables: dict[type, TableReference] = {}
    _collect(preset.Preset, "", False, tables)
    return list(tables.values())


def _collect(struct: type[Struct], path: str, is_array: bool, tables: dict[type, TableReference]) -> None:
    """Add the table of a struct, then those of the structs in its fields, each struct once."""
    if struct in tables:
        return
    meanings = _meanings(struct)
    fields = _fields(struct)
    header = f"[[{path}]]" if is_array else f"[{path}]"
    tables[struct] = TableReference(
        header if path else "",
        _one_line(struct.__doc__ or ""),
        tuple(_key(field, meanings.get(field.name, "")) for field in fields),
    )
    for field in fields:
        for inner, in_array, in_table in _structs(field.type):
            name = f"{field.encode_name}.NAME" if in_table else field.encode_name
            _collect(inner, f"{path}.{name}" if path else name, in_array, tables)


def _fields(struct: type[Struct]) -> tuple[Field, ...]:
    described = msgspec.inspect.type_info(struct)
    assert isinstance(described, StructType)
    return described.fields


def _structs(kind: Type, in_array: bool = False, in_table: bool = False) -> Iterator[tuple[type, bool, bool]]:
    """Yield the structs in a type, and whether each is an item of an array or a value of a table."""
    match kind:
        case StructType():
            yield kind.cls, in_array, in_table
        case VarTupleType():
            yield from _structs(kind.item_type, in_array=True)
        case DictType():
            yield from _structs(kind.value_type, in_table=True)
        case UnionType():
            for each in kind.types:
                yield from _structs(each)


def _key(field: Field, meaning: str) -> KeyReference:
    return KeyReference(field.encode_name, _values(field.type), _default(field), meaning)


def _values(kind: Type) -> str:
    words = ""
    match kind:
        case LiteralType():
            words = ", ".join(f'"{value}"' for value in _in_declared_order(kind.values))
        case IntType() | FloatType():
            words = " ".join(("integer" if isinstance(kind, IntType) else "number", *_bounds(kind)))
        case BoolType():
            words = "true, false"
        case StrType():
            words = "string"
        case VarTupleType(item_type=StructType()):
            words = "array of tables"
        case VarTupleType():
            words = f"list of: {_values(kind.item_type)}"
        case DictType() | StructType():
            words = "table"
        case UnionType():
            words = " or ".join(_values(each) for each in kind.types if not isinstance(each, NoneType))
        case _:
            raise TypeError(f"no words for the type {kind}")
    return words


def _bounds(kind: IntType | FloatType) -> Iterator[str]:
    """Yield the bounds in words; an upper bound that only keeps out infinity is left out."""
    if kind.gt is not None:
        yield f"above {kind.gt:g}"
    if kind.ge is not None:
        yield f"from {kind.ge:g}"
    if kind.lt is not None:
        yield f"below {kind.lt:g}"
    if kind.le is not None and isinstance(kind, IntType) and kind.le < LARGEST:
        yield f"to {kind.le}"


def _in_declared_order(values: tuple[object, ...]) -> tuple[object, ...]:
    """Return the values of a literal in the order of their declaration: msgspec sorts them."""
    declared = (get_args(each) for each in vars(preset).values())
    return next((each for each in declared if set(each) == set(values)), values)


def _default(field: Field) -> str:
    if field.required:
        return "required"
    if field.default is NODEFAULT or field.default is None or isinstance(field.default, Struct):
        return "-"
    return toml_value(field.default)


def _meanings(struct: type[Struct]) -> dict[str, str]:
    """Return the docstrings below the fields of a struct and its bases, by the field's name."""
    meanings: dict[str, str] = {}
    for each in reversed(struct.__mro__):
        if each.__module__ != preset.__name__:
            continue
        body = ast.parse(inspect.getsource(each)).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, after in zip(body.body, body.body[1:], strict=False):
            match field, after:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(value=str(text))):
                    meanings[name] = _one_line(text)
    return meanings


def _one_line(text: str) -> str:
    return " ".join(text.split())
