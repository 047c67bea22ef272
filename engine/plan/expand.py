"""Expansion of a preset to the plan of one host: every run of the matrix, or why it cannot run there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from ..host.facts import Gpu, Host
from .images import FolderError, open_folder
from .limits import reason_to_skip, too_few_images
from .plan import Device, Plan, RunSpec
from .preset import Baseline, Matrix, Mode, Preset, Selection
from .read import PresetError
from .trainings import has_own_data
from .workload import Workload

MOST_RUNS = 10_000
"""Runs in a plan at most, repeats included."""
MOST_DEVICES = 1024
"""Devices of a run at most."""
CPU_SHARES = 2
"""Number of devices that `all` means on a machine without GPUs."""


class _Cell(Struct, frozen=True):
    """One cell of the matrix."""

    mode: Mode
    count: int
    workloads: tuple[Workload, ...]


def make_plan(
    name: str, preset: Preset, host: Host, changes: Mapping[str, str] = MappingProxyType({})
) -> Plan:
    """Expand the preset for this host. Raises `PresetError` where its data cannot be used.

    `changes`: keys that differ from those of its file, which the plan records.
    """
    if uses_gpus(host):
        preset = preset.for_gpus()
    images = _training_images(name, preset)
    _check_size(name, preset)
    cells = [cell for cell in _cells(preset, host) if _is_wanted(cell, preset.matrix, host)]
    if not cells:
        problem = "it holds no run: none is in matrix.only, or dp and concurrent have 1 device"
        raise PresetError(name, "matrix", problem)
    if len(cells) * preset.measure.repeats > MOST_RUNS:
        problem = f"{len(cells)} x {preset.measure.repeats:,} runs; a plan has {MOST_RUNS:,} at most"
        raise PresetError(name, "measure.repeats", problem)
    devices = _devices(host, [cell.count for cell in cells])
    runs = [_run(number, cell, preset, devices, host) for number, cell in enumerate(cells, start=1)]
    runs = [replace(spec, skip=spec.skip or too_few_images(spec, images)) for spec in runs]
    runs = list(_with_baselines(runs, preset.matrix))
    return Plan(
        preset=name,
        title=preset.title,
        question=preset.question,
        answer=preset.answer,
        devices=devices,
        runs=tuple(_in_turns(runs, preset.measure.repeats)),
        published=preset.published,
        changes=dict(changes),
    )


def _check_size(name: str, preset: Preset) -> None:
    """Check that the matrix can be expanded."""
    matrix = preset.matrix
    for count in matrix.devices:
        if count != "all" and count > MOST_DEVICES:
            raise PresetError(name, "matrix.devices", f"{count:,}; expected {MOST_DEVICES:,} at most")
    lists = (matrix.modes, matrix.devices, matrix.batches or (None,), preset.used_workloads)
    if math.prod(map(len, lists)) > MOST_RUNS:
        raise PresetError(name, "matrix", f"it holds too many runs; a plan has {MOST_RUNS:,} at most")


def _training_images(name: str, preset: Preset) -> dict[str, int]:
    """Return how many training images each folder of images holds. Raises PresetError for unfit ones."""
    images = {}
    for key, workload in preset.used_workloads.items():
        if workload.data == "folder" and workload.data_dir is not None and not has_own_data(workload):
            try:
                train, _ = open_folder(Path(workload.data_dir), workload.classes)
            except FolderError as error:
                raise PresetError(name, f"{key}.{error.key}", error.problem) from None
            images[workload.data_dir] = len(train.paths)
    return images


def uses_gpus(host: Host) -> bool:
    """Whether runs on this host train on GPUs: it has some, and torch is built for them."""
    return bool(host.gpus) and host.software.torch_cuda is not None


def _cells(preset: Preset, host: Host) -> Iterator[_Cell]:
    matrix = preset.matrix
    counts = _counts(matrix, host)
    batches = matrix.batches or (None,)
    chosen = [_at_batch(workload, None) for workload in preset.used_workloads.values()]
    for workload in chosen:
        for batch in batches:
            for mode in matrix.modes:
                if mode != "concurrent":
                    for count in _counts_of(mode, counts):
                        yield _Cell(mode, count, (_at_batch(workload, batch),))
    if "concurrent" in matrix.modes:
        for batch in batches:
            for count in _counts_of("concurrent", counts):
                side_by_side = (_at_batch(chosen[rank % len(chosen)], batch) for rank in range(count))
                yield _Cell("concurrent", count, tuple(side_by_side))


def _is_wanted(cell: _Cell, matrix: Matrix, host: Host) -> bool:
    """Return whether a cell is in `matrix.only`, itself or in place of one on devices that are not there."""
    counts = {cell.count}
    if cell.count == _substitute(matrix, host):
        counts |= {count for count in matrix.devices if count != "all" and count > cell.count}
    return not matrix.only or any(
        part.holds(cell.mode, count, cell.workloads) for part in matrix.only for count in counts
    )


def _counts(matrix: Matrix, host: Host) -> list[int]:
    counts = {_all_devices(host) if count == "all" else count for count in matrix.devices}
    substitute = _substitute(matrix, host)
    return sorted(counts if substitute is None else counts | {substitute})


def _all_devices(host: Host) -> int:
    return len(host.gpus) if uses_gpus(host) else min(CPU_SHARES, len(host.cpu.cores))


def _substitute(matrix: Matrix, host: Host) -> int | None:
    """Return the most devices that are there, where more are asked for; None where that is not needed.

    One device takes no place of several. Shares of cores are as large as their number allows, so that they
    are substitutes only where no count of several fits.
    """
    asked = {count for count in matrix.devices if count != "all"}
    most = _all_devices(host)
    fit = [count for count in asked if 1 < count <= len(host.cpu.cores)]
    if most < 2 or max(asked, default=0) <= most or most in asked or (fit and not uses_gpus(host)):
        return None
    return most


def _counts_of(mode: Mode, counts: list[int]) -> list[int]:
    """Return the device counts of a mode: 1 for `single`, at least 2 for `dp` and `concurrent`."""
    if mode == "single":
        return [1]
    if mode in ("dp", "concurrent"):
        return [count for count in counts if count > 1]
    return counts


def _at_batch(workload: Workload, batch: int | None) -> Workload:
    return replace(workload, name=workload.title, batch=batch or workload.batch)


def _devices(host: Host, counts: list[int]) -> tuple[Device, ...]:
    """Return the host's GPUs, or as many equal shares of its cores as the largest run that fits needs."""
    if uses_gpus(host):
        near = _cores_near_gpus(host)
        return tuple(_gpu_device(gpu, near[gpu.index]) for gpu in host.gpus)
    cores = host.cpu.cores
    shares = max((count for count in counts if count <= len(cores)), default=1)
    # Whole physical cores where there are enough: two siblings of one core are not two devices.
    usable = cores[: host.cpu.physical] if host.cpu.physical >= shares else cores
    size = len(usable) // shares
    return tuple(_cpu_device(share, usable[share * size : (share + 1) * size]) for share in range(shares))


def _cores_near_gpus(host: Host) -> dict[int, tuple[int, ...]]:
    """Return the allowed cores of each GPU's NUMA node, by GPU index; of none if there are too few for one.

    A rank that feeds a GPU from another socket is slower, by 1 to 10% (torch/numa/binding.py).
    """
    near = {gpu.index: tuple(sorted({*(gpu.near_cores or ())} & {*host.cpu.cores})) for gpu in host.gpus}
    sharing = Counter(near.values())
    scarce = any(len(cores) < gpus for cores, gpus in sharing.items())
    return dict.fromkeys(near, ()) if scarce else near


def _gpu_device(gpu: Gpu, cores: tuple[int, ...]) -> Device:
    return Device(kind="cuda", index=gpu.index, name=gpu.name, uuid=gpu.uuid, cores=cores)


def _cpu_device(share: int, cores: tuple[int, ...]) -> Device:
    plural = "core" if len(cores) == 1 else "cores"
    return Device(kind="cpu", index=share, name=f"{plural} {', '.join(map(str, cores))}", cores=tuple(cores))


def _run(number: int, cell: _Cell, preset: Preset, devices: tuple[Device, ...], host: Host) -> RunSpec:
    names = list(dict.fromkeys(workload.name for workload in cell.workloads))
    batch = cell.workloads[0].batch
    run_id = f"{number:02d}-{cell.mode}-{cell.count}x{batch}-"
    run_id += "-".join(name.replace("/", "-").replace(":", "-") for name in names)[-40:]
    label = f"{cell.mode} x{cell.count}"
    if len(preset.matrix.batches) > 1:
        label += f", batch {batch}"
    if len(preset.used_workloads) > 1:
        label += f", {' + '.join(names)}"
    spec = RunSpec(
        id=run_id,
        configuration=run_id,
        label=label,
        mode=cell.mode,
        devices=devices[: cell.count] if cell.count <= len(devices) else (),
        device_count=cell.count,
        workloads=cell.workloads,
        measure=preset.measure,
    )
    scaled = tuple(_with_scaled_rate(workload, spec) for workload in cell.workloads)
    return replace(spec, workloads=scaled, skip=reason_to_skip(spec, devices, host))


def _with_scaled_rate(workload: Workload, spec: RunSpec) -> Workload:
    """Scale the learning rate in proportion to the batch that a training sees (Goyal et al. 2017)."""
    if workload.learning_rate_batch is None:
        return workload
    alone = spec.mode == "concurrent"
    batch = workload.batch * workload.accumulate if alone else spec.global_batch
    return replace(workload, learning_rate=workload.learning_rate * batch / workload.learning_rate_batch)


def _in_turns(runs: list[RunSpec], repeats: int) -> Iterator[RunSpec]:
    """Yield all runs, then all of them again; each repeat is compared with the baseline of its own turn."""
    if repeats == 1:
        yield from runs
        return
    for repeat in range(1, repeats + 1):
        ids = {spec.id: f"{spec.id}-r{repeat}" for spec in runs}
        for spec in runs:
            yield replace(
                spec,
                id=ids[spec.id],
                label=f"{spec.label}, repeat {repeat}",
                repeat=repeat,
                configuration=f"{spec.id}-r1",
                baseline=ids.get(spec.baseline or ""),
            )


def _with_baselines(runs: list[RunSpec], matrix: Matrix) -> Iterator[RunSpec]:
    """Yield each run with the id of the run that it is compared with."""
    baseline = matrix.baseline or _default_baseline(runs)
    for spec in runs:
        found = None
        if spec.mode != "concurrent" and baseline is not None:
            wanted = _selection_of(baseline, spec.workload)
            found = next((other.id for other in runs if other.is_in(wanted)), None)
        yield replace(spec, baseline=found)


def _selection_of(baseline: Baseline, workload: Workload) -> Selection:
    """Return the selection of the run that a workload's runs are compared with."""
    own_batch = None if baseline.workload else workload.batch
    return Selection(
        workload=baseline.workload or workload.name,
        mode=baseline.mode,
        devices=baseline.devices,
        batch=baseline.batch or own_batch,
    )


def _default_baseline(runs: list[RunSpec]) -> Baseline | None:
    comparable = [spec for spec in runs if spec.mode != "concurrent"]
    singles = [spec for spec in comparable if spec.mode == "single"]
    if not comparable:
        return None
    first = min(singles or comparable, key=lambda spec: spec.device_count)
    return Baseline(first.mode, first.device_count)
