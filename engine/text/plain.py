"""Text that is safe to show: it cannot act on a terminal, and every encoding can take it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO, cast

LONGEST_MESSAGE = 600
"""Characters of a message at most."""

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, changes of the direction of writing, and lone surrogates."""
_BREAKS = re.compile("[\t\n]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    r"""Return text with control characters and lone surrogates as escapes; line breaks and tabs stay.

    Python represents bytes of a file name that are not UTF-8 as surrogates; they become `\xff`.
    """
    return text if text.isprintable() else _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def unbroken(text: str) -> str:
    """Return text as it is shown in one line: plain, with spaces for line breaks and tabs."""
    return text if text.isprintable() else _BREAKS.sub(" ", plain(text))


def without_surrogates(text: str) -> str:
    """Return text with lone surrogates as escapes, which every encoding of Unicode can take."""
    return _SURROGATE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def json_escaped(document: str) -> str:
    """Return a JSON document, which means the same, with the characters that `plain` replaces as escapes."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


LEAST_KEPT = 0.5
"""Share of the room that a text must fill where it is cut at a word."""


def cut_in_middle(text: str, most: int = LONGEST_MESSAGE) -> str:
    """Return text with its middle left out where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def cut_at_word(text: str, most: int) -> str:
    """Return the beginning of a text, at most `most` characters: up to a sentence or else a word."""
    if len(text) <= most:
        return text
    head = text[: most - 1]
    sentence = max(head.rfind(mark) for mark in (". ", "; "))
    if sentence > most * LEAST_KEPT:
        return f"{head[:sentence]} …"
    word = head.rfind(" ") if text[most - 1].isalnum() else len(head)
    return f"{(head[:word] if word > most * LEAST_KEPT else head).rstrip(' ,;:.(')}…"


def message_of(error: BaseException) -> str:
    """Return an exception's message, whatever its own `__str__` does."""
    try:
        return str(error)
    except Exception:
        return "its message cannot be shown"


def described(error: BaseException) -> str:
    """Return type and first line of the message of an exception."""
    first = next(iter(message_of(error).strip().splitlines()), "")
    return ": ".join(filter(None, (type(error).__name__, first)))


class PlainWriter:
    """Stand-in for a text stream that makes everything written to it plain."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text."""
        return self._stream.write(plain(text))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        self._stream.writelines(map(plain, lines))

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def plain_output() -> Iterator[None]:
    """Make everything plain that is printed to standard output and standard error within the context."""
    import sys

    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", PlainWriter(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
