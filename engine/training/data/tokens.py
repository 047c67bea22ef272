"""Tokens in a row: synthetic ones, the bytes of a text, or files of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ...plan.workload.data_error import DataError
from ...plan.workload.language_models import vocabulary_of
from ...plan.workload.token_files import Span, describe_unknown, open_text, open_token_files
from ...plan.workload.workload import Workload
from ...text.files import open_regular, user_path
from ..errors import NoDataError, TrainingError
from ..parallel.group import Group

WORDS = 1024
"""Number of words of synthetic text, of which a small vocabulary has fewer."""
WORD_LENGTH = 8
"""Tokens of a synthetic word."""


class Tokens(Protocol):
    """A row of tokens; must be picklable, since loader workers receive a copy."""

    def __len__(self) -> int: ...

    def read(self, first: int, count: int) -> Tensor:
        """Return some of them as they are stored, uint8, int16 (the bits of uint16) or int32.

        Raises NoDataError where a file no longer has them.
        """


class MemoryTokens:
    """Tokens in memory, int32."""

    def __init__(self, values: Tensor) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def read(self, first: int, count: int) -> Tensor:
        """Implement `Tokens`."""
        return self._values[first : first + count]


class FileTokens:
    """Tokens in files, read when they are needed: one file may be larger than the memory."""

    def __init__(self, spans: tuple[Span, ...], dtype: torch.dtype) -> None:
        self.spans = spans
        self._dtype = dtype
        self._ends = list(accumulate(span.length for span in spans))

    def __len__(self) -> int:
        return self._ends[-1]

    def read(self, first: int, count: int) -> Tensor:
        """Implement `Tokens`."""
        parts = [self._read_span(span) for span in self._spans_of(first, count)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _spans_of(self, first: int, count: int) -> Iterator[Span]:
        """Yield the parts of the files that hold some of the tokens."""
        for span, end in zip(self.spans, self._ends, strict=True):
            start = end - span.length
            begins, ends = max(first, start), min(first + count, end)
            if begins < ends:
                yield Span(span.path, span.first + begins - start, ends - begins)

    def _read_span(self, span: Span) -> Tensor:
        content = bytearray(span.length * self._dtype.itemsize)
        try:
            with open_regular(Path(span.path)) as file:
                file.seek(span.first * self._dtype.itemsize)
                found = file.readinto(content)  # type: ignore[attr-defined]
        except OSError as error:
            raise NoDataError(f"{span.path} cannot be read: {error.strerror or error}") from error
        if found < len(content):
            raise NoDataError(f"{span.path} became shorter while it was read: run again")
        return torch.frombuffer(content, dtype=self._dtype)


def widened(stored: Tensor) -> Tensor:
    """Return tokens as int64, whatever they are stored as."""
    wide = stored.long()
    return wide & 0xFFFF if stored.dtype is torch.int16 else wide


def check_known(stored: Tensor, vocabulary: int, place: str) -> None:
    """Raise TrainingError unless the vocabulary has all of these tokens; a GPU would end the process."""
    known = {torch.uint8: 1 << 8, torch.int16: 1 << 16}.get(stored.dtype, vocabulary)
    if vocabulary >= known:
        return
    highest = max(int(widened(part).max()) for part in torch.split(stored, 1 << 24))
    if highest >= vocabulary:
        raise TrainingError(f"data_dir: {describe_unknown(highest, place, vocabulary)}")


def open_tokens(workload: Workload) -> tuple[Tokens, Tokens]:
    """Return the workload's training set and test set.

    Raises NoDataError where they are missing or too short, or hold tokens that the vocabulary does not have.
    """
    vocabulary = vocabulary_of(workload)
    if workload.data == "synthetic":
        return synthetic_tokens(vocabulary, workload.tokens, workload.sequence_length, workload.seed)
    if workload.data_dir is None:
        raise TrainingError(f'data = "{workload.data}" needs data_dir, the file or folder to read')
    place, length = user_path(workload.data_dir), workload.sequence_length
    is_text = workload.data == "text"
    try:
        sets = open_text(place, length) if is_text else open_token_files(place, length, vocabulary)
    except DataError as error:
        raise NoDataError(f"{error.key}: {error.problem}") from None
    train, test = (FileTokens(spans, torch.uint8 if is_text else torch.int16) for spans in sets)
    return train, test


def synthetic_tokens(vocabulary: int, count: int, length: int, seed: int) -> tuple[Tokens, Tokens]:
    """Return tokens that can be learnt: words of eight, one as likely as another, fixed by the seed.

    Whoever knows the words has to guess but one token in eight, and of the words only as many as there are.
    """
    generator = torch.Generator().manual_seed(seed)
    words = max(2, min(WORDS, vocabulary // 4))
    lexicon = torch.randint(vocabulary, (words, WORD_LENGTH), generator=generator, dtype=torch.int32)

    def make(tokens: int) -> MemoryTokens:
        chosen = torch.randint(words, (-(-tokens // WORD_LENGTH),), generator=generator)
        return MemoryTokens(lexicon[chosen].flatten()[:tokens].clone())

    return make(count), make(max(length + 1, count // 5))


def check_same_spans(sets: tuple[Tokens, Tokens], group: Group) -> None:
    """Raise TrainingError on all ranks of a training unless they read the same parts of the same files."""
    spans = [part.spans if isinstance(part, FileTokens) else len(part) for part in sets]
    if not group.alike(spans):
        raise TrainingError(
            "the ranks found different texts in data_dir: it changed while they opened it; run again"
        )
