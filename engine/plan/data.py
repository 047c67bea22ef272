"""Training data of a plan: how much of them there is, and whether that is enough for a step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .plan import RunSpec
from .workload.image_files import open_folder
from .workload.language_models import vocabulary_of
from .workload.token_files import open_text, open_token_files, sequences_in, tokens_in
from .workload.trainings import has_own_data
from .workload.workload import Workload

CIFAR10_IMAGES = 50_000
"""Training images of CIFAR-10."""

OF_DATA = frozenset({
    "data", "data_dir", "images", "classes", "image_size", "augment",
    "placement", "loader_workers", "prefetch", "pin_memory",
})  # fmt: skip
"""Keys of a workload on the data that are made for it, which a training's own file may make itself."""

Origin = tuple[str | int | None, ...]
"""Whatever decides which samples a workload has."""


def origin_of(workload: Workload) -> Origin:
    """Return what decides which samples a workload has: equal ones need to be looked at only once."""
    if workload.training == "tokens":
        length, vocabulary = workload.sequence_length, vocabulary_of(workload)
        return (workload.training, workload.data, workload.data_dir, length, vocabulary, workload.tokens)
    return (workload.training, workload.data, workload.data_dir, workload.classes, workload.images)


def samples_of(workload: Workload) -> int | None:
    """Return how many images or sequences there are to train on; None where only the training itself knows.

    Raises DataError for data that it cannot use.
    """
    if has_own_data(workload):
        return None
    if workload.training == "tokens":
        return sequences_in(_tokens_of(workload), workload.sequence_length)
    if workload.data == "folder" and workload.data_dir is not None:
        train, _ = open_folder(Path(workload.data_dir), workload.classes)
        return len(train.paths)
    return workload.images if workload.data == "synthetic" else CIFAR10_IMAGES


def _tokens_of(workload: Workload) -> int:
    if workload.data_dir is None:
        return workload.tokens
    place, length = Path(workload.data_dir), workload.sequence_length
    if workload.data == "text":
        return tokens_in(open_text(place, length).train)
    return tokens_in(open_token_files(place, length, vocabulary_of(workload)).train)


def too_little_data(spec: RunSpec, samples: Mapping[Origin, int | None]) -> str | None:
    """Return why a training set has too few samples for one step; `samples` are those of each origin."""
    ranks = min(spec.world_size, len(spec.workloads)) if spec.mode == "concurrent" else 1
    for rank in range(ranks):
        workload = spec.workload_of(rank)
        present = samples.get(origin_of(workload))
        alone = spec.mode == "concurrent"
        needed = spec.batch_per_device(rank) * workload.accumulate if alone else spec.global_batch
        if present is not None and present < needed:
            noun, key = ("sequences", "tokens") if workload.training == "tokens" else ("images", "images")
            more = f" or raise workload.{key}" if workload.data == "synthetic" else ""
            return (
                f"a step of all devices takes {needed:,} {noun}, and the training set has {present:,}: lower "
                f"workload.batch{more}"
            )
    return None
