"""Advice on images that a model does not take, found by trying others on tensors without content."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from msgspec.structs import replace

from ...plan.workload.workload import Workload
from .registry import build_model

SIZES = (32, 64, 96, 128, 160, 192, 224, 256, 299, 320, 384, 448, 512)
"""Sizes to try, in pixels: those that models are made for, and some between."""


def advice_on_images(workload: Workload, batch: int) -> str:
    """Return why the model cannot take the workload's images, and what it would take; empty if it can.

    It is also empty where nothing that is tried helps, or where the model needs values. This is for a model
    whose step has failed: it is built several times.
    """
    if workload.training != "images" or _takes(workload, batch):
        return ""
    if batch == 1 and _takes(workload, 2):
        return f"{workload.model} does not take a single image: set workload.batch = 2 or more"
    size = next(
        (size for size in _others(workload) if _takes(replace(workload, image_size=size), batch)), None
    )
    if size is None:
        return ""
    given = workload.image_size
    return (
        f"{workload.model} does not take images of {given}x{given}, and would take {size}x{size}: "
        f"set workload.image_size = {size}"
    )


def _others(workload: Workload) -> Iterator[int]:
    """Yield other sizes: larger ones, of which the nearest comes first, then smaller ones."""
    given = workload.image_size
    yield from (size for size in SIZES if size > given)
    yield from (size for size in reversed(SIZES) if size < given)


def _takes(workload: Workload, batch: int) -> bool:
    """Return whether a training step of the model could begin with a batch of such images."""
    size = workload.image_size
    try:
        with torch.device("meta"), torch.no_grad():
            build_model(workload)(torch.zeros(batch, 3, size, size))
    except Exception:  # a user's model may raise anything
        return False
    return True
