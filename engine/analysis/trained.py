"""The training that a session measured, in one line: the same line wherever results are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath

from ..plan.plan import Plan
from ..plan.preset.preset import Preset
from ..plan.preset.values import with_values
from ..plan.preset.vary import combinations
from ..plan.workload.trainings import own_training
from ..plan.workload.workload import Workload
from ..text.plain import cut_in_middle
from ..text.toml import toml_value

MOST_VALUES = 8
"""Values that are listed where workloads differ, at most."""
LONGEST_VALUE = 60
"""Characters of a changed value at most."""
REDUCED_FORM = "reduced form, without GPUs"
"""Remark on a preset that is smaller here than on GPUs."""
SAID = frozenset({
    "training", "arguments", "model", "data", "data_dir", "classes", "image_size", "sequence_length",
    "precision", "optimizer", "batch", "batches", "batch_scope", "channels_last", "compile",
    "accumulate", "checkpoint_activations", "clip_gradients", "compress_gradients",
})  # fmt: skip
"""Keys whose values the line gives in words."""
TURNED = {
    "accumulate": "{} batches a step",
    "checkpoint_activations": "activations checkpointed: {}",
    "clip_gradients": "gradients clipped: {}",
    "compress_gradients": "gradients compressed: {}",
}
"""Words for the values of keys that the line has only where one is not at its default."""


def trained(plan: Plan) -> str:
    """Return what the plan's runs train, and what was changed from the preset; empty without a run.

    As in `cifar-resnet18 on CIFAR-10, bf16, sgd, batch 128 per device; changed from quickstart: precision`.
    """
    runs = plan.to_run or plan.runs
    training = training_line(workload for spec in runs for workload in spec.workloads)
    if training and plan.reduced:
        training += f"; {REDUCED_FORM}"
    if not training or not plan.changes:
        return training
    changed = ", ".join(_change(key, value) for key, value in plan.changes.items())
    return f"{training}; changed from {plan.preset}: {changed}"


def trained_briefly(plan: Plan) -> str:
    """Return models and precisions alone: `resnet50 bf16`; empty without a run."""
    runs = plan.to_run or plan.runs
    return model_and_precision([workload for spec in runs for workload in spec.workloads])


def model_and_precision(workloads: Sequence[Workload]) -> str:
    """Return models and precisions of workloads: `resnet50 bf16`; where they differ, each."""
    return " ".join(filter(None, (_each(workloads, _model), _each(workloads, lambda each: each.precision))))


def preset_training(preset: Preset) -> str:
    """Return what the runs of a preset train."""
    batches = preset.matrix.batches
    workloads = [
        with_values(workload, values)
        for workload in preset.used_workloads.values()
        for values in combinations(preset.matrix.vary)
    ]
    return training_line(workloads, [str(batch) for batch in batches] or None)


def training_line(workloads: Iterable[Workload], batches: Sequence[str] | None = None) -> str:
    """Return model, data, precision, optimizer and batch of workloads; where they differ, each value.

    `batches` replace those of the workloads.
    """
    all_of_them = list(dict.fromkeys(workloads))
    if not all_of_them:
        return ""
    each_batch = _listed(batches) if batches else _each(all_of_them, lambda each: str(each.batch))
    parts = [
        " on ".join(filter(None, (_each(all_of_them, _model), _each(all_of_them, _data)))),
        _each(all_of_them, lambda each: each.precision),
        *filter(None, [_each(all_of_them, _optimizer)]),
        f"batch {each_batch} {_each(all_of_them, _scope)}",
        *_turned(all_of_them),
    ]
    for key, words in (("compile", "compiled"), ("channels_last", "channels-last")):
        with_it = sum(getattr(workload, key) for workload in all_of_them)
        if with_it:
            parts.append(words if with_it == len(all_of_them) else f"{words} in part")
    return ", ".join(parts)


def _turned(workloads: Sequence[Workload]) -> Iterator[str]:
    """Yield what is set of the keys that most trainings leave alone."""
    unset = Workload()
    for key, words in TURNED.items():
        if any(getattr(workload, key) != getattr(unset, key) for workload in workloads):
            yield words.format(_each(workloads, lambda each, key=key: str(getattr(each, key))))  # type: ignore[misc]


def _each(workloads: Sequence[Workload], written: Callable[[Workload], str]) -> str:
    return _listed(list(dict.fromkeys(filter(None, map(written, workloads)))))


def _listed(values: Sequence[str]) -> str:
    """Return the values side by side; of many, the first and the last."""
    shown = values if len(values) <= MOST_VALUES else [*values[: MOST_VALUES - 1], "...", values[-1]]
    return " / ".join(shown)


def _model(workload: Workload) -> str:
    """Return the model's name; of a model or training of one's own, the file without its folders."""
    if own_training(workload.training) is not None:
        given = ", ".join(f"{name} = {toml_value(value)}" for name, value in workload.arguments.items())
        return PurePath(workload.training).name + (f" ({given})" if given else "")
    path, separator, function = workload.model.rpartition(".py:")
    return f"{PurePath(path).name}{separator}{function}" if separator else workload.model


def _optimizer(workload: Workload) -> str:
    return "" if own_training(workload.training) is not None else workload.optimizer


def _data(workload: Workload) -> str:
    """Return the data; of a training of one's own nothing, for its file may have data of its own."""
    if own_training(workload.training) is not None:
        return ""
    return _tokens(workload) if workload.training == "tokens" else _images(workload)


def _images(workload: Workload) -> str:
    classes = f"{workload.classes} classes"
    size = f"{workload.image_size}x{workload.image_size}, {classes}"
    if workload.data == "cifar10":
        return "CIFAR-10"
    if workload.data == "synthetic":
        return f"synthetic images ({size})"
    name = PurePath(workload.data_dir or "").name
    return f"folder images ({f'{name}/, ' if name else ''}{size})"


def _tokens(workload: Workload) -> str:
    length = f"sequences of {workload.sequence_length:,}"
    name = PurePath(workload.data_dir or "").name
    if workload.data == "text":
        return f"the bytes of {name} ({length})"
    return f"tokens of {name} ({length})" if workload.data == "tokens" else f"synthetic tokens ({length})"


def _scope(workload: Workload) -> str:
    return "per device" if workload.batch_scope == "device" else "in total"


def _change(key: str, value: str) -> str:
    name = key.removeprefix("workload.")
    said = name.rpartition(".")[2] in SAID
    return name if said else f"{name} = {cut_in_middle(value, LONGEST_VALUE)}"
