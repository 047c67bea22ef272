"""The report's sections on accuracy and loss over epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from ...record.events import Evaluation
from ...record.session import Session
from ...text.ascii import ascii_plot
from ...text.markdown import block, markdown_table, section
from ...text.units import duration, loss_unit, percent
from ..results.learning import evaluated_ranks, training_label

MOST_EPOCHS = 30
FEWEST_FOR_CURVES = 3


def epochs_section(session: Session) -> Iterator[str]:
    """Yield a section for each training of each run that was evaluated: a table and curves."""
    for run in session.runs.values():
        for rank in evaluated_ranks(run):
            title = f"Epochs: {training_label(run.spec.label, run.spec, rank)}"
            yield from section(title, _epoch_table(list(run.evaluations[rank]), loss_unit(run.unit)))


def _epoch_table(evaluations: Sequence[Evaluation], unit: str) -> list[str]:
    losses = (f"train loss, {unit}", f"test loss, {unit}") if unit else ("train loss", "test loss")
    titles: tuple[str, ...] = (
        "epoch",
        losses[0],
        "train accuracy",
        losses[1],
        "test accuracy",
        "training time",
    )
    stride = -(-len(evaluations) // MOST_EPOCHS)
    shown = [item for i, item in enumerate(evaluations, 1) if i % stride == 0 or i in (1, len(evaluations))]
    rows: list[tuple[str, ...]] = [
        (
            str(item.epoch),
            _loss(item.train_loss),
            percent(item.train_accuracy),
            _loss(item.test_loss),
            percent(item.test_accuracy),
            duration(item.seconds),
        )
        for item in shown
    ]
    if not any((item.train_accuracy, item.test_accuracy) != (None, None) for item in evaluations):
        titles, *rows = (row[:2] + row[3:4] + row[5:] for row in (titles, *rows))
    scored = [(item.test_accuracy, -item.epoch) for item in evaluations if item.test_accuracy is not None]
    accuracy, epoch = max(scored, default=(None, 0))
    summary = f"Best test accuracy: {percent(accuracy)}, after epoch {-epoch}. " if scored else ""
    seconds = [item.seconds for item in evaluations]
    mean, total = duration(fmean(seconds)), duration(sum(seconds))
    times = f"Training time: {mean} per epoch on average, {total} in total."
    lines = [*markdown_table(titles, rows), "", f"{summary}{times}"]
    if stride > 1:
        lines.append(f"Only every {stride}th epoch is shown, besides the first and the last.")
    return [*lines, *_curves(evaluations)]


def _curves(evaluations: Sequence[Evaluation]) -> list[str]:
    if len(evaluations) < FEWEST_FOR_CURVES:
        return []
    epochs = [float(item.epoch) for item in evaluations]
    lines: list[str] = []
    for what, shown, train, test in (
        ("loss", "{:.3g}".format, *_pairs(evaluations, "train_loss", "test_loss")),
        ("accuracy", percent, *_pairs(evaluations, "train_accuracy", "test_accuracy")),
    ):
        curves = {".": train, "o": test}
        drawn = ascii_plot(epochs, curves, shown)
        if drawn:
            lines += ["", f"{what.capitalize()} over epochs, `.` training and `o` test:", "", *block(drawn)]
    return lines


def _pairs(
    evaluations: Sequence[Evaluation], train: str, test: str
) -> tuple[list[float | None], list[float | None]]:
    return [getattr(item, train) for item in evaluations], [getattr(item, test) for item in evaluations]


def _loss(loss: float | None) -> str:
    return "not finite" if loss is None else f"{loss:.4f}"
