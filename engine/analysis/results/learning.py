"""Loss and accuracy over epochs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean
from typing import Literal

from msgspec import Struct

from ...plan.plan import RunSpec
from ...record.events import Evaluation
from ...record.session import RunState
from .configuration import Configuration

LEFT_OUT, REPLACED = "images left out", "images replaced by others of their class"


class TrainingOutcome(Struct, frozen=True, kw_only=True):
    """Outcome of training by epochs."""

    epochs: int
    test_accuracy: float | None
    """Accuracy after the last epoch, as a share of 1; None for trainings without one."""
    best_accuracy: float | None
    """Highest accuracy on the test set after any epoch."""
    test_loss: float | None
    epoch_seconds: float
    """Mean training time of an epoch on the slowest rank, evaluation excluded."""


class EvaluatedTraining(Struct, frozen=True):
    """One training of a configuration, with its evaluations."""

    label: str
    """Label of the configuration; of concurrent trainings, followed by the workload's name."""
    epochs: dict[int, list[Evaluation]]
    """Evaluations by epoch, one for each repeat."""

    def curve(self, field: str) -> list[tuple[int, float | None]]:
        """Return a field over epochs, mean of the repeats; None where it is not finite in one of them."""
        points: list[tuple[int, float | None]] = []
        for epoch, evaluations in self.epochs.items():
            values = [getattr(evaluation, field) for evaluation in evaluations]
            points.append((epoch, None if None in values else fmean(values)))
        return points


class Divergence(Struct, frozen=True, kw_only=True):
    """Loss of one rank that is not finite."""

    rank: int
    repeat: int
    """Number of the repeat; 0 where the configuration has one run."""
    step: int | None
    """First step with such a loss; None if only a loss over an epoch is known."""
    broken: int
    """Number of steps known to have one."""
    before: float | None
    """Last finite loss before that step."""
    epoch: int = 0
    """First epoch with such a loss, where no step is known."""
    images: Literal["training", "test"] = "training"
    """Images whose loss over that epoch is not finite."""


class UnreadFolder(Struct, frozen=True):
    """Images of one folder that a configuration could not read."""

    what: str
    """`images left out` or `images replaced by others of their class`."""
    folder: str
    files: int
    first: str
    """Path of the first of them, and why it cannot be read."""


def divergences(configuration: Configuration) -> list[Divergence]:
    """Return the ranks whose loss was not finite, by run; failed and stopped runs count too."""
    several = len(configuration.runs) > 1
    return [
        found
        for run in configuration.runs
        for number in sorted(run.ranks.keys() | run.evaluations.keys())
        if (found := _divergence(run, number, run.spec.repeat if several else 0)) is not None
    ]


def _divergence(run: RunState, number: int, repeat: int) -> Divergence | None:
    rank = run.ranks.get(number)
    if rank is not None and rank.broken_from is not None:
        return Divergence(
            rank=number,
            repeat=repeat,
            step=rank.broken_from,
            broken=rank.broken_steps,
            before=rank.sound_loss,
        )
    for evaluation in run.evaluations.get(number, ()):
        if None in (evaluation.train_loss, evaluation.test_loss):
            return Divergence(
                rank=number,
                repeat=repeat,
                step=None,
                broken=0,
                before=None,
                epoch=evaluation.epoch,
                images="training" if evaluation.train_loss is None else "test",
            )
    return None


def unread_images(configuration: Configuration) -> list[UnreadFolder]:
    """Return the folders with images that could not be read; each rank finds the same or some of them."""
    found: dict[tuple[str, str], UnreadFolder] = {}
    for run in configuration.runs:
        for rank in run.ranks.values():
            replaced = rank.measured.replaced_images if rank.measured is not None else []
            for what, parts in ((LEFT_OUT, rank.skipped_images), (REPLACED, replaced)):
                for part in parts:
                    seen = found.get((what, part.folder))
                    if seen is None or part.files > seen.files:
                        found[what, part.folder] = UnreadFolder(what, part.folder, part.files, part.first)
    return list(found.values())


def trainings(found: Sequence[Configuration]) -> Iterator[EvaluatedTraining]:
    """Yield the trainings of the configurations whose usable runs were evaluated."""
    for configuration in found:
        runs = [run for run in configuration.usable if run.evaluations]
        for rank in dict.fromkeys(rank for run in runs for rank in evaluated_ranks(run)):
            epochs: dict[int, list[Evaluation]] = {}
            for run in runs:
                for evaluation in run.evaluations.get(rank, ()):
                    epochs.setdefault(evaluation.epoch, []).append(evaluation)
            yield EvaluatedTraining(
                training_label(configuration.label, configuration.spec, rank), dict(sorted(epochs.items()))
            )


def evaluated_ranks(run: RunState) -> list[int]:
    """Return one rank for each model that a run evaluates.

    Independent trainings side by side have a model each; ranks of one training evaluate the same model.
    """
    ranks = sorted(run.evaluations)
    return ranks if run.spec.mode == "concurrent" else ranks[:1]


def training_label(label: str, spec: RunSpec, rank: int) -> str:
    """Return the label of what a rank trains, given that of its run or configuration."""
    return f"{label}, {spec.workload_of(rank).name}" if spec.mode == "concurrent" else label


def training_outcome(
    configuration: Configuration, ranks: Iterable[int] | None = None
) -> TrainingOutcome | None:
    """Return the outcome on these ranks (default: all), mean of the repeats with the most epochs."""
    found = [_run_outcome(run, run.ranks if ranks is None else ranks) for run in configuration.usable]
    known = [each for each in found if each is not None]
    longest = [each for each in known if each.epochs == max(other.epochs for other in known)]
    if len(longest) < 2:
        return longest[0] if longest else None
    return TrainingOutcome(
        epochs=longest[0].epochs,
        test_accuracy=_mean(each.test_accuracy for each in longest),
        best_accuracy=_mean(each.best_accuracy for each in longest),
        test_loss=_mean(each.test_loss for each in longest),
        epoch_seconds=fmean(each.epoch_seconds for each in longest),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of values; None if one of them is missing."""
    known = list(values)
    return None if None in known else fmean(value for value in known if value is not None)


def _run_outcome(run: RunState, ranks: Iterable[int]) -> TrainingOutcome | None:
    """Return the joint outcome of these ranks of a run; None before the first evaluation."""
    epochs: dict[int, list[Evaluation]] = {}
    for rank in sorted(ranks):
        for evaluation in run.evaluations.get(rank, ()):
            epochs.setdefault(evaluation.epoch, []).append(evaluation)
    if not epochs:
        return None
    last = epochs[max(epochs)][0]
    scores = [epoch[0].test_accuracy for epoch in epochs.values()]
    slowest = [max(evaluation.seconds for evaluation in epoch) for epoch in epochs.values()]
    return TrainingOutcome(
        epochs=max(epochs),
        test_accuracy=last.test_accuracy,
        best_accuracy=max((each for each in scores if each is not None), default=None),
        test_loss=last.test_loss,
        epoch_seconds=sum(slowest) / len(slowest),
    )
