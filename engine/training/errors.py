"""Failures of a rank, each as a kind and one sentence."""

from __future__ import annotations

import re

import torch

from ..host.gpu.errors import main_line, memory_shortage, remedy_for
from ..host.shortage import with_remedy
from ..plan.workload.user_code import UserCode, source_of
from ..record.events import FailureKind
from ..text.plain import cut_in_middle, message_of

LONGEST = 400
"""Characters of a message at most, whose middle is left out; place, cause and remedy come on top."""
SENTENCES = {
    r"have finished reduction in the prior iteration": "a step of the model did not use all parameters, for "
    "whose gradients ddp waits: leave unused ones out, or set workload.find_unused_parameters = true",
    r"training graph has changed in this iteration": "a step of the model used other parameters than the "
    "first, or used them otherwise: set workload.static_graph = false, and workload.find_unused_parameters = "
    "true if a step leaves some out",
    r"backward through the graph a second time": "the loss depends on a graph that a backward pass has used "
    "up already: let loss(model, batch) only return it, and detach() what is kept from one step to the next "
    "or comes with a batch",
    r"gradient computation has been modified by an inplace operation": "the model changes in place "
    "what its gradients are computed from: use operations that are not in place (inplace=False); what "
    "workload.checkpoint_activations computes anew must not be changed either",
}
"""Sentence in place of torch's advice, which is to change a program, by a pattern of its message."""
REMEDIES = {
    r"got mixed torch\.Tensor and DTensor|remove or reshape sharded dimension|require placement changes": (
        "fsdp gathers a block's weights only while the block is called: call the block itself, or set "
        "workload.find_unused_parameters = true, with which the whole model is gathered at once"
    ),
    r"RegisterPostBackwardFunction is a view and is being modified inplace": (
        "fsdp passes a block its inputs as views: write x = x + y for x += y there"
    ),
    r"Attempting to unscale FP16 gradients": (
        "the model's own weights are float16, whose gradients cannot be scaled: build it in float32, or set "
        'workload.precision = "fp32", which leaves its weights as they are'
    ),
    r"attempted relative import": "a file is imported like a script: import what lies beside it by its name, "
    "without the dot",
    r"does not support sparse gradients|fused=True.*sparse": (
        "build the layer with sparse=False, or give the file a make_optimizer that takes them"
    ),
}
"""Remedies for what torch refuses, each by a pattern of its message."""
EXIT_REMEDY = "a model's file is imported, without arguments: it must not end the process"


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


def sentence_of(error: BaseException, batch: int, own: UserCode | None = None) -> str:
    """Return one sentence for the user, with the place in their `own` code that the error came through.

    `batch` is the number of samples per device that was tried.
    """
    if kind_of(error) == "out of memory" and not isinstance(error, TrainingError):
        return _memory_sentence(error, batch)
    for pattern, sentence in SENTENCES.items():
        if isinstance(error, RuntimeError) and re.search(pattern, message_of(error)):
            return sentence
    said = _told(error, own)
    remedy = EXIT_REMEDY if isinstance(error, SystemExit) else _remedy_for(message_of(error))
    return f"{said}; {remedy}" if remedy else with_remedy(said)


def _remedy_for(text: str) -> str:
    """Return what helps against an error of torch or of a GPU, or an empty string."""
    found = (remedy for pattern, remedy in REMEDIES.items() if re.search(pattern, text))
    return next(found, "") or remedy_for(text)


def _told(error: BaseException, own: UserCode | None, longest: int = LONGEST) -> str:
    """Return place, type and message of an error, and of what a user's code says has caused it."""
    place = own.place_of(error) if own is not None and not isinstance(error, TrainingError) else None
    by_user = own is not None and own.raised(error)
    name, text = _name_and_text(error, by_user)
    if isinstance(error, AssertionError) and not text and place is not None:
        text = source_of(place)
    said = ": ".join(filter(None, (str(place or ""), name, cut_in_middle(text, longest))))
    cause = error.__cause__
    if isinstance(error, BaseExceptionGroup):
        return f"{said}: {_told(error.exceptions[0], own, longest // 2)}"
    if by_user and cause is not None and longest > LONGEST // 4:
        return f"{said}, from {_told(cause, own, longest // 2)}"
    return said


def _name_and_text(error: BaseException, by_user: bool) -> tuple[str, str]:
    """Return the name of an error's type, empty where the text is a sentence of ours, and its message."""
    text = message_of(error).strip()
    if _is_from_worker(error):
        # An exception in a loader worker or a replica arrives as its traceback, which its message ends.
        name, _, text = _after_traceback(text).partition(": ")
        return "" if isinstance(error, TrainingError) else name.rpartition(".")[2], main_line(text)
    if isinstance(error, TrainingError):
        return "", main_line(text)
    if isinstance(error, SyntaxError):
        text = f"{error.msg} ({error.text.strip()})" if error.text else error.msg or ""
    # Libraries put what matters first, and C++ frames and advice after it; a user's message is taken whole.
    whole = [text, *getattr(error, "__notes__", ())] if by_user else [main_line(text)]
    return type(error).__name__, " ".join(" ".join(map(str, whole)).split())


def _after_traceback(text: str) -> str:
    """Return what follows the last line of a traceback that is indented as its frames are, in one line."""
    lines = text.splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    rest = [line for line in lines[frames[-1] + 1 :] if not line.startswith("    ")] if frames else lines[-1:]
    return " ".join(" ".join(rest or lines[-1:]).split())


def _memory_sentence(error: BaseException, batch: int) -> str:
    advice = f"out of memory with a batch of {batch} per device: try a smaller workload.batch"
    if memory_shortage(message_of(error)) == "likely":
        return f"probably {advice} ({cut_in_middle(main_line(message_of(error)), LONGEST)})"
    return advice


def _is_from_worker(error: BaseException) -> bool:
    return message_of(error).lstrip().startswith("Caught ") and "Original Traceback" in message_of(error)
