"""JSON of any text, lone surrogates included, and from any file."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from .plain import json_escaped, without_surrogates

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


def encode_json(value: object) -> bytes:
    """Encode a value; text that is not valid Unicode is written with escapes."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_valid(msgspec.to_builtins(value)))


def decode_json(content: bytes, kind: type[T]) -> T:
    """Decode a value of that type; msgspec.DecodeError for anything else, however deeply it is nested."""
    try:
        return msgspec.json.decode(content, type=kind)
    except RecursionError:
        raise msgspec.DecodeError("JSON is nested too deeply") from None


def json_document(value: object) -> str:
    """Return a value as an indented JSON document that is safe to print, ending with a line break."""
    return json_escaped(msgspec.json.format(encode_json(value), indent=2).decode()) + "\n"


def _valid(value: object) -> object:
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, dict):
        return {_valid(key): _valid(item) for key, item in value.items()}
    return [_valid(item) for item in value] if isinstance(value, list | tuple) else value
