"""Logits in whatever a classifier returns: a tensor, a tuple, a table, or an object with `logits`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

AUXILIARY_WEIGHT = 0.3
"""Weight of each auxiliary classifier's loss, that of GoogLeNet."""
MAIN_NAMES = ("logits", "out", "output", "outputs", "prediction")
"""Names of the main classifier's logits in tables and objects, the likeliest first."""


class ClassifierOutput(NamedTuple):
    """Logits in what a classifier returned."""

    logits: object
    """Logits of the main classifier; whatever else it is, if it has none."""
    auxiliary: tuple[Tensor, ...] = ()
    """Logits of auxiliary classifiers, which Inception and GoogLeNet have in training."""


def taken_apart(output: Any) -> ClassifierOutput:
    """Return the logits in what a model returned."""
    if isinstance(output, Tensor):
        return ClassifierOutput(output)
    named = output.get if isinstance(output, Mapping) else partial(_attribute, output)
    for name in MAIN_NAMES:
        if isinstance(found := named(name), Tensor):
            return ClassifierOutput(found, tuple(_alike(output, found)))
    if isinstance(output, tuple | list) and output and isinstance(output[0], Tensor):
        return ClassifierOutput(output[0], tuple(_alike(output, output[0])))
    return ClassifierOutput(output)


def _attribute(output: Any, name: str) -> Any:
    return getattr(output, name, None)


def _alike(output: Any, logits: Tensor) -> Iterator[Tensor]:
    """Yield the other logits in a tuple: tensors of the same shape with a gradient."""
    if isinstance(output, tuple | list):
        for each in output:
            if isinstance(each, Tensor) and each is not logits and each.shape == logits.shape:
                yield each
