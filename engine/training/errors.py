"""Failures of a rank, each as a kind and one sentence."""

from __future__ import annotations

import torch

from ..host.gpu.errors import main_line, memory_shortage, remedy_for
from ..record.events import FailureKind
from ..text.plain import message_of

LONGEST = 400
"""Characters of a sentence at most; a remedy comes on top."""


class TrainingError(Exception):
    """An error that the user can correct; its text is one sentence that says how."""


class NoDataError(TrainingError):
    """The data set is missing or damaged."""


class DataTooLargeError(TrainingError):
    """The data set does not fit into the memory of the device that should hold it."""


def kind_of(error: BaseException) -> FailureKind:
    """Return the kind of failure that an exception stands for."""
    if isinstance(error, NoDataError):
        return "no data"
    if isinstance(error, MemoryError | torch.OutOfMemoryError | DataTooLargeError):
        return "out of memory"
    if isinstance(error, RuntimeError) and memory_shortage(message_of(error)):
        return "out of memory"
    return "raised"


def sentence_of(error: BaseException, batch: int) -> str:
    """Return one sentence for the user; `batch` is the number of samples per device that was tried."""
    text = message_of(error).strip()
    if isinstance(error, TrainingError) and not _is_from_worker(error):
        name = ""
    elif kind_of(error) == "out of memory":
        return _memory_sentence(error, batch)
    elif _is_from_worker(error):
        # An exception in a data-loader worker arrives as its traceback; the last line is its message.
        name, _, text = text.splitlines()[-1].partition(": ")
        name = "" if isinstance(error, TrainingError) else name.rpartition(".")[2]
    else:
        name = type(error).__name__
    said = _shortened(": ".join(filter(None, (name, main_line(text)))))
    remedy = remedy_for(text)
    return f"{said}; {remedy}" if remedy else said


def _memory_sentence(error: BaseException, batch: int) -> str:
    advice = f"out of memory with a batch of {batch} per device: try a smaller workload.batch"
    if memory_shortage(message_of(error)) == "likely":
        return f"probably {advice} ({_shortened(main_line(message_of(error)))})"
    return advice


def _is_from_worker(error: BaseException) -> bool:
    return message_of(error).lstrip().startswith("Caught ") and "Original Traceback" in message_of(error)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
