"""Files of tokens: the parts of them that a training reads, and why it cannot use them.

A text is read as bytes, each a token. A file of tokens holds 16-bit unsigned integers, lowest byte first, and
nothing else.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ...text.files import is_file, is_folder, open_regular
from .data_error import DataError

TRAIN_FILE, TEST_FILE = "train.bin", "val.bin"
"""Files of tokens in a folder, named as nanoGPT's preparation of data names them."""
TOKEN_BYTES = 2
"""Size of a token in such a file."""
TEST_SHARE = 10
"""One token of that many is for testing, where one file or text has to serve for both: its end."""
HEAD_BYTES = 8192
"""Bytes at a file's beginning in which none may be zero, if the file is a text."""
PIECES, PIECE_BYTES = 128, 1 << 16
"""Pieces of a file of tokens, evenly spread, that are looked at before a training; all of a small one."""


class Span(NamedTuple):
    """Consecutive tokens of a file."""

    path: str
    first: int
    """Position of the first in the file, in tokens."""
    length: int
    """Number of them."""


class TokenSets(NamedTuple):
    """The tokens of a training set and of a test set, each the spans of it one after the other."""

    train: tuple[Span, ...]
    test: tuple[Span, ...]


def tokens_in(spans: tuple[Span, ...]) -> int:
    """Return the number of tokens of a set."""
    return sum(span.length for span in spans)


def sequences_in(tokens: int, length: int) -> int:
    """Return how many sequences of a length there are; each predicts the token after its last one too."""
    return max(0, (tokens - 1) // length)


def open_text(place: Path, length: int) -> TokenSets:
    """Return the bytes of a text file, or of all text files in a folder and those within.

    Raises DataError where there is none, or less than a sequence to train on and one to test with.
    """
    if is_folder(place):
        files = [path for path in _files_below(place) if _is_text(path)]
        if not files:
            problem = f"{place} holds no text file, neither itself nor in its folders"
            raise DataError("data_dir", problem)
    else:
        files = [str(place)]
    spans = tuple(Span(path, 0, _status(path).st_size) for path in files)
    return _divided(tuple(span for span in spans if span.length), length, place, "bytes")


def open_token_files(place: Path, length: int, vocabulary: int) -> TokenSets:
    """Return the tokens of `train.bin` and `val.bin` in a folder, or of one file.

    Raises DataError where they are missing, too short for a sequence, or beyond the vocabulary; of large
    files a sample is looked at.
    """
    if not is_folder(place):
        whole = _tokens_of(place, vocabulary)
        return _divided((whole,) if whole.length else (), length, place, "tokens")
    train, test = (_tokens_of(place / name, vocabulary) for name in (TRAIN_FILE, TEST_FILE))
    for part in (train, test):
        if not sequences_in(part.length, length):
            raise DataError("data_dir", _too_short(part.path, part.length, "tokens", length, 1))
    return TokenSets((train,), (test,))


def describe_unknown(token: int, place: str, vocabulary: int) -> str:
    """Return what is wrong with a token that the vocabulary does not have, as a phrase."""
    return (
        f"{place} holds the token {token:,}, and the vocabulary is {vocabulary:,}: raise "
        "workload.vocabulary, or encode the text again"
    )


def _divided(spans: tuple[Span, ...], length: int, place: Path, unit: str) -> TokenSets:
    """Keep the end of the data for testing: a tenth of it, and a sequence at least."""
    tokens = tokens_in(spans)
    tested = max(tokens // TEST_SHARE, length + 1)
    if not sequences_in(tokens - tested, length):
        raise DataError("data_dir", _too_short(str(place), tokens, unit, length, 2))
    train, test = [], []
    left = tokens - tested
    for span in spans:
        taken = min(left, span.length)
        left -= taken
        if taken:
            train.append(span._replace(length=taken))
        if taken < span.length:
            test.append(Span(span.path, span.first + taken, span.length - taken))
    return TokenSets(tuple(train), tuple(test))


def _too_short(place: str, found: int, unit: str, length: int, parts: int) -> str:
    if not found:
        return f"{place} is empty"
    needed = parts * (length + 1)
    purpose = "to train and to test" if parts == 2 else "to make a sequence"
    return (
        f"{place} has {found:,} {unit}, and {needed:,} are needed {purpose} with sequence_length = {length}: "
        "lower it, or give more"
    )


def _files_below(folder: Path) -> list[str]:
    """Return the regular files of a folder and those in it, sorted; hidden ones are no data."""
    found: list[str] = []
    for here, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (os.path.join(here, name) for name in names if not name.startswith("."))  # noqa: PTH118
        found += [path for path in paths if is_file(Path(path))]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise DataError("data_dir", f"{error.filename} cannot be read: {error.strerror}") from error


def _status(path: str) -> os.stat_result:
    """Return the status of a regular file; DataError where it is none, or cannot be read."""
    try:
        with open_regular(Path(path)) as file:
            return os.fstat(file.fileno())
    except FileNotFoundError:
        raise DataError("data_dir", f"no file or folder {path}") from None
    except OSError as error:
        raise DataError("data_dir", f"{path} cannot be read: {error.strerror}") from error


def _is_text(path: str) -> bool:
    status = _status(path)
    return _has_no_zero(path, status.st_size, status.st_mtime_ns)


# A plan is made at every key in the editor: what has been looked at is remembered.
@lru_cache(maxsize=10_000)
def _has_no_zero(path: str, size: int, changed: int) -> bool:  # noqa: ARG001 (they tell versions apart)
    """Return whether a file seems to be text, by the rule of git."""
    with open_regular(Path(path)) as file:
        return b"\0" not in file.read(HEAD_BYTES)


def _tokens_of(path: Path, vocabulary: int) -> Span:
    """Return all tokens of a file; DataError where it is not one of tokens of that vocabulary."""
    status = _status(str(path))
    size = status.st_size
    if size % TOKEN_BYTES:
        problem = f"{path} has {size:,} bytes, an odd number: expected 16-bit tokens (uint16) and no header"
        raise DataError("data_dir", problem)
    highest = _highest(str(path), size, status.st_mtime_ns)
    if highest >= vocabulary:
        raise DataError("data_dir", describe_unknown(highest, str(path), vocabulary))
    return Span(str(path), 0, size // TOKEN_BYTES)


@lru_cache(maxsize=1000)
def _highest(path: str, size: int, changed: int) -> int:  # noqa: ARG001 (they tell versions apart)
    """Return the highest token of the pieces that are looked at; 0 where there is none."""
    return max((max(piece, default=0) for piece in _pieces(path, size)), default=0)


def _pieces(path: str, size: int) -> Iterator[array[int]]:
    count = min(PIECES, -(-size // PIECE_BYTES))
    starts = [index * (size - PIECE_BYTES) // max(1, count - 1) for index in range(count)]
    with open_regular(Path(path)) as file:
        for start in starts:
            file.seek(max(0, start) // TOKEN_BYTES * TOKEN_BYTES)
            content = file.read(PIECE_BYTES)
            piece = array("H", content[: len(content) // TOKEN_BYTES * TOKEN_BYTES])
            if sys.byteorder == "big":
                piece.byteswap()
            yield piece
