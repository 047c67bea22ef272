"""Shapes of the built-in language models, and the numbers that follow from them without building one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from .workload import Workload

BYTES = 256
"""Vocabulary of a text that is read as bytes."""
NEEDED = {
    "text": "the file of the text, or a folder of texts",
    "tokens": "the folder with train.bin and val.bin, or one such file",
}
"""Contents of `data_dir` by kind of data."""


class LanguageModel(NamedTuple):
    """Shape of a decoder-only transformer."""

    family: Literal["gpt2", "llama"]
    layers: int
    width: int
    heads: int
    key_value_heads: int
    """Heads of keys and values, each shared by as many heads of queries as `heads` has more."""
    hidden: int
    """Width within the perceptron of a block."""
    vocabulary: int
    """Number of tokens unless the workload says another."""
    tied: bool
    """Whether the embedding of the tokens is also the matrix of the outputs."""
    positions: int | None = None
    """Number of learned positions, the longest sequence; None where positions are rotations."""
    rope_base: float = 10_000.0
    """Base of the rotations' wavelengths."""

    @property
    def head_width(self) -> int:
        """The width of a head."""
        return self.width // self.heads

    @property
    def key_value_width(self) -> int:
        """The width of a token's keys, and of its values."""
        return self.key_value_heads * self.head_width

    @property
    def block_matrices(self) -> int:
        """The number of weights in the matrices of a block."""
        attention = 2 * self.width * (self.width + self.key_value_width)
        return attention + (2 if self.family == "gpt2" else 3) * self.width * self.hidden

    @property
    def block_parameters(self) -> int:
        """The number of parameters of a block."""
        norms = 2 * self.width
        if self.family == "llama":
            return self.block_matrices + norms
        biases = self.width + 2 * self.key_value_width + self.width + self.hidden + self.width
        return self.block_matrices + biases + 2 * norms

    def outer_parameters(self, vocabulary: int) -> int:
        """Return the number of parameters outside the blocks: embeddings, last norm, outputs."""
        norm = self.width * (2 if self.family == "gpt2" else 1)
        tables = vocabulary * (1 if self.tied else 2) + (self.positions or 0)
        return tables * self.width + norm

    def parameters(self, vocabulary: int) -> int:
        """Return the number of parameters, those of a tied matrix counted once."""
        return self.layers * self.block_parameters + self.outer_parameters(vocabulary)


def _gpt2(layers: int, width: int, heads: int, vocabulary: int = 50_257) -> LanguageModel:
    return LanguageModel(
        "gpt2", layers, width, heads, heads, 4 * width, vocabulary, tied=True, positions=1024
    )


def _llama(
    layers: int, width: int, heads: int, shared: int, hidden: int, *, tied: bool, vocabulary: int = 128_256
) -> LanguageModel:
    return LanguageModel(
        "llama", layers, width, heads, shared, hidden, vocabulary, tied=tied, rope_base=500_000.0
    )


LANGUAGE_MODELS: dict[str, LanguageModel] = {
    "gpt-tiny": _gpt2(4, 128, 4, vocabulary=BYTES),
    "gpt2": _gpt2(12, 768, 12),
    "gpt2-medium": _gpt2(24, 1024, 16),
    "llama-tiny": _llama(4, 128, 4, 2, 352, tied=True, vocabulary=BYTES),
    "llama-1b": _llama(16, 2048, 32, 8, 8192, tied=True),
    "llama-8b": _llama(32, 4096, 32, 8, 14_336, tied=False),
}
"""Built-in language models by their name."""


def summary_of(shape: LanguageModel) -> str:
    """Return what a model is, in a few words."""
    kind = "GPT-2" if shape.family == "gpt2" else "Llama 3"
    parameters = f"{shape.parameters(shape.vocabulary):,}"
    return (
        f"language model like {kind}, {shape.layers} blocks of width {shape.width:,}, {parameters} parameters"
    )


def vocabulary_of(workload: Workload) -> int:
    """Return the number of different tokens of a workload that trains a language model."""
    own = BYTES if workload.data == "text" else LANGUAGE_MODELS[workload.model].vocabulary
    return workload.vocabulary or own


def problem_with_language(workload: Workload) -> tuple[str, str] | None:
    """Return which key of a workload a language model cannot be trained with, and why; None if all fit."""
    if workload.model not in LANGUAGE_MODELS:
        known = ", ".join(LANGUAGE_MODELS)
        return "model", f"there is no language model {workload.model!r}: use {known}"
    return next(_problems(workload, LANGUAGE_MODELS[workload.model]), None)


def _problems(workload: Workload, shape: LanguageModel) -> Iterator[tuple[str, str]]:
    data, length = workload.data, workload.sequence_length
    if data not in ("synthetic", *NEEDED):
        yield "data", f'"{data}" holds images; expected "synthetic", "text" or "tokens"'
    elif data != "synthetic" and workload.data_dir is None:
        yield "data_dir", f'missing; data = "{data}" needs {NEEDED[data]}'
    if data == "text" and vocabulary_of(workload) < BYTES:
        yield "vocabulary", f"{workload.vocabulary}; a text is read as bytes, of which there are {BYTES}"
    if shape.positions is not None and length > shape.positions:
        longest = f"{workload.model} has learned positions, for {shape.positions:,} tokens at most"
        yield "sequence_length", f"{length:,}; {longest}"
    if data == "synthetic" and workload.tokens <= length:
        yield "tokens", f"{workload.tokens:,}; a sequence takes {length + 1:,}"
    if workload.augment:
        yield "augment", "only images are augmented; leave it out"
    if workload.channels_last:
        yield "channels_last", "only images have channels; leave it out"
