"""What can go wrong in a rank, said in one sentence."""

from __future__ import annotations

import torch

from ..record.events import FailureKind

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
LONGEST = 400


class TrainingError(Exception):
    """Something a person can put right; its text is one sentence that says what."""


class NoDataError(TrainingError):
    """The data set is missing or damaged."""


def kind_of(error: BaseException) -> FailureKind:
    """Which kind of failure an exception stands for."""
    if isinstance(error, NoDataError):
        return "no data"
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return "out of memory"
    if isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY):
        return "out of memory"
    return "raised"


def sentence_of(error: BaseException, batch: int) -> str:
    """One sentence for people; `batch` is the number of samples per device that was tried."""
    if kind_of(error) == "out of memory":
        return f"out of memory with a batch of {batch} per device: try a smaller workload.batch"
    text = str(error).strip()
    if text.startswith("Caught ") and "Original Traceback" in text:
        # A data-loader worker's exception arrives with its traceback; the last line is what it said.
        name, _, text = text.splitlines()[-1].partition(": ")
        text = text if isinstance(error, TrainingError) else f"{name.rpartition('.')[2]}: {text}"
    elif not isinstance(error, TrainingError):
        first = text.splitlines()[0] if text else ""
        text = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
