"""The reference of a preset's keys, read from their declarations: values, defaults, meanings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Literal, NamedTuple, get_args

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

from ...text.files import LARGEST
from ...text.python_source import parse_python, source_of_class
from ...text.toml import toml_value
from ..workload import workload
from ..workload.language_models import LANGUAGE_MODELS, summary_of
from ..workload.models import BUILT_IN_MODELS
from . import preset

DECLARATIONS = (preset, workload)
"""Modules that declare the keys."""

OTHER_MODELS = {
    **{name: summary_of(shape) for name, shape in LANGUAGE_MODELS.items()},
    "torchvision:NAME": "a classification model of torchvision, such as torchvision:resnet50",
    "path/to/file.py:function": "your own, whose function may take classes and image_size",
}
"""Language models, and forms of the names of all other models, each with what it is."""

KeyKind = Literal["text", "number", "word", "list", "texts", "table"]
"""Kind of value that a key takes: `word` for one of some words (or, of some keys, a number), `texts` for a
list of any texts, `list` for all other lists."""


class KeyReference(NamedTuple):
    """One key of a preset file."""

    name: str
    values: str
    """Allowed values in words, as in `whole number from 1`."""
    default: str
    """Default in TOML; `required` where there is none, `-` where it is to be absent."""
    meaning: str
    """Docstring of the key, in one line."""
    words: tuple[str, ...] = ()
    """Words that it takes as its value; empty where it takes others or numbers too."""
    kind: KeyKind = "word"
    group: str = ""
    """Heading of the keys of its table that it belongs to; empty in a table without groups."""

    @property
    def takes(self) -> str:
        """Allowed values as a phrase, as in `a whole number from 1`."""
        article = {"inline": "an ", "whole": "a ", "number": "a ", "list": "a "}
        return article.get(self.values.partition(" ")[0], "") + self.values


class TableReference(NamedTuple):
    """One table of a preset file, or the keys at its top."""

    path: str
    """Header in TOML, as in `[workload]` or `[[published]]`; empty at the top of the file."""
    meaning: str
    keys: tuple[KeyReference, ...]


@cache
def preset_reference() -> tuple[TableReference, ...]:
    """Return every table of a preset, in the order in which their keys are declared."""
    tables: dict[type, TableReference] = {}
    _collect(preset.Preset, "", False, tables)
    return tuple(tables.values())


def settable_keys() -> dict[str, KeyReference]:
    """Return the keys that `--set` can give a value, by their name in it, as in `workload.batch`."""
    tables = {table.path.strip("[]"): table for table in preset_reference() if "[[" not in table.path}
    # What replaces a table on machines without GPUs has that table's keys.
    overlays = [key.name for key in tables["without_gpus"].keys if key.name in tables]
    tables |= {f"without_gpus.{name}": tables[name] for name in overlays}
    return {
        f"{path}.{key.name}" if path else key.name: key
        for path, table in tables.items()
        for key in table.keys
        if key.values not in ("table", "array of tables")
    }


def _collect(struct: type[Struct], path: str, is_array: bool, tables: dict[type, TableReference]) -> None:
    """Add the table of a struct, then those of the structs in its fields, each struct once."""
    if struct in tables:
        return
    meanings = _meanings(struct)
    groups = _groups(struct)
    fields = _fields(struct)
    header = f"[[{path}]]" if is_array else f"[{path}]"
    tables[struct] = TableReference(
        header if path else "",
        _one_line((struct.__doc__ or "").partition("\n\n")[0]),
        tuple(_key(field, meanings.get(field.name, ""), groups.get(field.name, "")) for field in fields),
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


def _key(field: Field, meaning: str, group: str) -> KeyReference:
    words = (*BUILT_IN_MODELS, *LANGUAGE_MODELS) if field.encode_name == "model" else _words(field.type)
    default, kind = _default(field), _kind(field.type)
    # A table of any keys, unlike those that are declared.
    values = "inline table" if field.encode_name == "arguments" else _values(field.type)
    return KeyReference(field.encode_name, values, default, meaning, words, kind, group)


def _kind(kind: Type) -> KeyKind:
    found: KeyKind = "word"
    match kind:
        case StrType():
            found = "text"
        case IntType() | FloatType():
            found = "number"
        case VarTupleType(item_type=StructType()) | DictType() | StructType():
            found = "table"
        case VarTupleType(item_type=StrType()):
            found = "texts"
        case VarTupleType():
            found = "list"
        case UnionType():
            kinds = {_kind(each) for each in kind.types if not isinstance(each, NoneType)}
            found = kinds.pop() if len(kinds) == 1 else "word"
    return found


def _words(kind: Type) -> tuple[str, ...]:
    match kind:
        case LiteralType():
            return tuple(map(str, _in_declared_order(kind.values)))
        case BoolType():
            return ("true", "false")
    return ()


def _values(kind: Type) -> str:
    words = ""
    match kind:
        case LiteralType():
            words = ", ".join(f'"{value}"' for value in _in_declared_order(kind.values))
        case IntType() | FloatType():
            words = " ".join(("whole number" if isinstance(kind, IntType) else "number", *_bounds(kind)))
        case BoolType():
            words = "true, false"
        case StrType():
            words = "text"
        case VarTupleType(item_type=StructType()):
            words = "array of tables"
        case VarTupleType():
            words = f"list of {_entries(kind.item_type)}"
        case DictType() | StructType():
            words = "table"
        case UnionType():
            words = " or ".join(_values(each) for each in kind.types if not isinstance(each, NoneType))
        case _:
            raise TypeError(f"no words for the type {kind}")
    return words


def _entries(kind: Type) -> str:
    """Return the values of a list in words, in the plural."""
    match kind:
        case LiteralType():
            return f"any of {_values(kind)}"
        case UnionType():
            parts = [_entries(each) for each in kind.types if not isinstance(each, LiteralType)]
            parts += [f"or {_values(each)}" for each in kind.types if isinstance(each, LiteralType)]
            return ", ".join(parts)
    return re.sub(r"^((?:whole )?number|text)", r"\1s", _values(kind))


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
    declared = (get_args(each) for module in DECLARATIONS for each in vars(module).values())
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
    for source in _sources(struct):
        body = parse_python(source).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, after in zip(body.body, body.body[1:], strict=False):
            match field, after:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(value=str(text))):
                    meanings[name] = _one_line(text)
    return meanings


def _groups(struct: type[Struct]) -> dict[str, str]:
    """Return the heading of each field's group by the field's name: the last comment above it."""
    groups: dict[str, str] = {}
    heading = ""
    for line in "\n".join(_sources(struct)).splitlines():
        if comment := re.fullmatch(r" {4}# (.+)", line):
            heading = comment[1]
        elif field := re.match(r" {4}(\w+): ", line):
            groups[field[1]] = heading
    return groups


def _sources(struct: type[Struct]) -> Iterator[str]:
    """Yield the source of the struct's bases and of itself, as far as they declare keys."""
    for each in reversed(struct.__mro__):
        if each.__module__ in {module.__name__ for module in DECLARATIONS}:
            # Installed without its source: keys without their meanings are better than none.
            with suppress(OSError):
                yield source_of_class(each)


def _one_line(text: str) -> str:
    return " ".join(text.split())
