"""Checks of a preset beyond the types of its keys: names, the baseline, workloads that can be trained."""

from __future__ import annotations

from collections.abc import Iterator

from ...text.plain import without_surrogates
from ..workload.models import problem_with_model
from ..workload.trainings import problem_with_training
from ..workload.workload import Workload
from .errors import PresetError
from .overrides import VARIED
from .preset import Matrix, Preset
from .values import FIT_FOR_RECORD, unfit_for_record, with_values
from .vary import check_selected_values, combinations


def check_preset(preset: Preset, file: str, before: str = "") -> None:
    """Check what types cannot express; `before` begins the keys of the reduced form. Raises `PresetError`."""
    _check_names(preset, file, before)
    _check_baseline(preset.matrix, file, before)
    check_selected_values(preset.matrix, file, before)
    _check_workloads(preset, file, before)


def _check_names(preset: Preset, file: str, before: str) -> None:
    """Check that the workloads named in the matrix exist."""
    matrix, known = preset.matrix, ", ".join(preset.workloads) or "none"
    named: list[tuple[str, str | None]] = [("workloads", name) for name in matrix.workloads]
    named += [(f"only[{index}].workload", part.workload) for index, part in enumerate(matrix.only)]
    named += [("baseline.workload", matrix.baseline.workload)] if matrix.baseline else []
    for key, name in named:
        if name is not None and name not in preset.workloads:
            raise PresetError(file, f"{before}matrix.{key}", f"no workload {name!r}; choose from: {known}")


def _check_baseline(matrix: Matrix, file: str, before: str) -> None:
    baseline = matrix.baseline
    if baseline is None:
        return
    key = f"{before}matrix.baseline"
    if baseline.mode not in matrix.modes:
        raise PresetError(file, f"{key}.mode", f"{baseline.mode!r} is not among matrix.modes")
    if baseline.mode == "concurrent":
        problem = "independent trainings cannot be a baseline; expected another of matrix.modes"
        raise PresetError(file, f"{key}.mode", problem)
    if baseline.mode == "single" and baseline.devices != 1:
        raise PresetError(file, f"{key}.devices", "expected 1, which single has by definition")
    if baseline.mode == "dp" and baseline.devices == 1:
        raise PresetError(file, f"{key}.devices", "expected 2 or more, which dp needs")
    if baseline.mode != "single" and baseline.devices not in matrix.devices:
        raise PresetError(file, f"{key}.devices", f"{baseline.devices} is not among matrix.devices")
    if baseline.batch is not None and baseline.batch not in matrix.batches:
        raise PresetError(file, f"{key}.batch", f"{baseline.batch} is not among matrix.batches")


def _check_workloads(preset: Preset, file: str, before: str) -> None:
    """Check every workload; of varied ones, that each value is possible with some values of the others."""
    vary = preset.matrix.vary
    for table, workload in preset.used_workloads.items():
        problems = [
            (values, problem_with_workload(with_values(workload, values))) for values in combinations(vary)
        ]
        if all(problem is not None for _, problem in problems):
            key, problem = problems[0][1] or ("", "")
            of_values = key in vary or (vary and problem_with_workload(workload) is None)
            named = f"{before}{VARIED}{key}" if of_values else f"{before}{table}.{key}"
            raise PresetError(file, named, problem)
        for key, choices in vary.items():
            for index, value in enumerate(choices):
                of_value = [problem for values, problem in problems if values[key] == value]
                if all(of_value) and of_value[0] is not None:
                    raise PresetError(file, f"{before}{VARIED}{key}[{index}]", of_value[0][1])


def problem_with_workload(workload: Workload) -> tuple[str, str] | None:
    """Return the key that keeps a workload from being trained anywhere, and why; None if nothing does."""
    return next(_problems_with(workload), None)


def _problems_with(workload: Workload) -> Iterator[tuple[str, str]]:
    if workload.data_dir is not None and not workload.data_dir.strip():
        yield "data_dir", "empty; expected a path, or leave it out"
    if workload.data == "folder" and workload.data_dir is None:
        yield "data_dir", 'missing; data = "folder" needs the folder with train/CLASS/ and test/CLASS/'
    if workload.data == "cifar10":
        for key, given, fixed in (
            ("classes", workload.classes, 10),
            ("image_size", workload.image_size, 32),
        ):
            if given != fixed:
                yield key, f"{given}; CIFAR-10 has 10 classes of 32x32 images"
    if (unfit := next(unfit_for_record(workload.arguments), None)) is not None:
        yield "arguments", f"{unfit}; {FIT_FOR_RECORD}"
    for key in ("data_dir", "model", "training"):
        path = getattr(workload, key) or ""
        if without_surrogates(path) != path:
            yield key, f"{path}: expected a path that is valid UTF-8"
    if list(workload.milestones) != sorted(set(workload.milestones)):
        yield "milestones", "expected rising epochs, as in [150, 250]"
    if found := problem_with_training(workload):
        yield found.key, found.problem
    if workload.training == "images" and (problem := problem_with_model(workload.model)):
        yield "model", problem
