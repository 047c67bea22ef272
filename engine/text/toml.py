"""Values as TOML on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence


def toml_value(value: object) -> str:
    """Return a value as TOML writes it: `true`, `"text"`, `[1, 2]`, `{ mode = "ddp" }`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        each = ", ".join(f"{toml_key(str(key))} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {each} }}" if each else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(toml_value, value))}]"
    return repr(value)


def toml_key(key: str) -> str:
    """Return a key as TOML writes it: in quotes where it is not made of letters, digits, `-` and `_`."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)
