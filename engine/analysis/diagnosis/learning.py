"""Rules on whether a training is one: losses that are finite, and all of its images."""

from __future__ import annotations

from collections.abc import Iterator

from ...plan.plan import RunSpec
from ...text.units import count
from ..results.learning import Divergence, divergences, unread_images
from .case import Case, Diagnosis, Figure

DIVERGED = "training diverged"


def diverged(case: Case) -> Iterator[Diagnosis]:
    """Find trainings with a loss that is not finite, from the first step of any rank."""
    for run in case.runs:
        found = divergences(run.configuration)
        if not found:
            continue
        first = min(found, key=lambda each: (each.step is None, each.step or 0))
        yield run.diagnosis(
            DIVERGED,
            "severe",
            f"{_where(first, run.spec)} is not finite {_since(first)}: what is computed from then on is "
            "not training, and its figures say nothing about it",
            [figure for each in found for figure in _figures(each)],
            _advice(first, run.spec),
        )


def _where(found: Divergence, spec: RunSpec) -> str:
    loss = "the loss" if found.step is not None else f"the loss on the {found.images} images"
    if spec.mode == "concurrent":
        return f"{loss} of {spec.workload_of(found.rank).title}"
    return loss


def _since(found: Divergence) -> str:
    return f"from step {found.step:,} on" if found.step is not None else f"after epoch {found.epoch}"


def _figures(found: Divergence) -> Iterator[Figure]:
    whose = f"rank {found.rank}" + (f", repeat {found.repeat}" if found.repeat else "")
    if found.step is None:
        yield f"{whose}: first epoch whose loss on the {found.images} images is not finite", str(found.epoch)
        return
    yield f"{whose}: first step whose loss is not finite, from 0 and with warm-up", f"{found.step:,}"
    if found.broken > 1:
        yield f"{whose}: steps with such a loss", f"{found.broken:,}"
    if found.before is not None:
        yield f"{whose}: loss before", f"{found.before:.3g}"


def _advice(found: Divergence, spec: RunSpec) -> str:
    workload = spec.workload_of(found.rank)
    if found.step == 0:
        return (
            "look for values that are not finite in the images and in the model's initial weights: no step "
            "had been taken yet"
        )
    narrow = {"fp16": 'precision = "bf16" or "fp32", ', "bf16": 'precision = "fp32", '}
    return (
        f"{narrow.get(workload.precision, '')}a lower learning_rate than {workload.learning_rate:g}, or "
        "warmup_epochs; with a model of your own, look for divisions and logarithms of zero"
    )


def unreadable_images(case: Case) -> Iterator[Diagnosis]:
    """Find trainings on folders of images in which some could not be read."""
    for run in case.runs:
        found = unread_images(run.configuration)
        if not found:
            continue
        files = sum(each.files for each in found)
        yield run.diagnosis(
            "unreadable images",
            "warning",
            f"{count(files, 'image')} of its data could not be read and {'are' if files > 1 else 'is'} "
            "missing from what was trained and tested",
            [(f"{each.what}, {each.folder}", _first_of(each.files, each.first)) for each in found],
            "repair or remove these files: other programs, or this one on other machines, may train on them",
        )


def _first_of(files: int, first: str) -> str:
    return f"{files:,}: {first}" + (", and others" if files > 1 else "")
