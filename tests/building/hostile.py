"""Sessions whose every text would act on a terminal, were it printed as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from gpubench_tui.engine.record.events import Event, decode
from gpubench_tui.engine.text.encoding import encode_json

TITLE = "owned"
ACTS = f"\x1b]0;{TITLE}\x07\x1b[66;66H\x9b7;7H\x1bc\x08\x00\r\n\t\u202e\u2066\x7f\x1b[?1049l"
"""Changes of the title, the cursor's place, the screen and the direction of writing, and a reset."""


def hostile_lines(events: Iterable[Event]) -> bytes:
    """A journal of these events, each text of which is followed by `ACTS` where its type allows any text."""
    return b"".join(_spoilt(json.loads(encode_json(event))) + b"\n" for event in events)


def _spoilt(line: dict[str, Any]) -> bytes:
    containers: list[Any] = [line]
    while containers:
        container = containers.pop()
        for key in container if isinstance(container, dict) else range(len(container)):
            value = container[key]
            if isinstance(value, dict | list):
                containers.append(value)
            elif isinstance(value, str):
                container[key] = value + ACTS
                try:
                    decode(_written(line))
                except msgspec.DecodeError:  # one of a few words
                    container[key] = value
    return _written(line)


def _written(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode()
