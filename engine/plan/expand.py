"""Expansion of a preset to the plan of one host: every run of the matrix, or why it cannot run there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from ..host.facts import Gpu, Host
from .cells import Cell, cells_of, is_wanted, uses_gpus, with_baselines, with_controls
from .data import OF_DATA, Origin, origin_of, samples_of, too_little_data
from .learning_rate import with_scaled_rates
from .limits import reason_to_skip
from .naming import with_id
from .plan import Device, Plan, RunSpec
from .preset.errors import PresetError
from .preset.preset import Matrix, Preset
from .preset.vary import values_in_words
from .workload.data_error import DataError
from .workload.trainings import makes_batches

MOST_RUNS = 10_000
"""Runs in a plan at most, repeats included."""
MOST_DEVICES = 1024
"""Devices of a run at most."""


def make_plan(
    name: str, preset: Preset, host: Host, changes: Mapping[str, str] = MappingProxyType({})
) -> Plan:
    """Expand the preset for this host. Raises `PresetError` where its data cannot be used.

    `changes`: keys that differ from those of its file, which the plan records.
    """
    reduced = preset.has_reduced_form and not uses_gpus(host)
    if reduced:
        preset = preset.reduced()
    _check_size(name, preset)
    cells = [cell for cell in cells_of(preset, host) if is_wanted(cell, preset.matrix, host)]
    if not cells:
        problem = "it holds no run: matrix.only leaves none, or dp and concurrent have only 1 device"
        raise PresetError(name, "matrix", problem)
    _check_effects(name, preset.matrix, cells)
    if len(cells) * preset.measure.repeats > MOST_RUNS:
        problem = f"{len(cells)} x {preset.measure.repeats:,} runs; a plan has {MOST_RUNS:,} at most"
        raise PresetError(name, "measure.repeats", problem)
    samples = _training_samples(name, cells)
    devices = _devices(host, [cell.devices for cell in cells])
    told = values_in_words([cell.varied for cell in cells], preset.matrix.vary)
    runs = [
        _run(number, cell, words, preset, devices, host)
        for number, (cell, words) in enumerate(zip(cells, told, strict=True), start=1)
    ]
    runs = [replace(spec, skip=spec.skip or too_little_data(spec, samples)) for spec in runs]
    runs = list(with_controls(with_baselines(runs, cells, preset.matrix), cells, preset.matrix))
    return Plan(
        preset=name,
        title=preset.title,
        question=preset.question,
        answer=preset.answer,
        devices=devices,
        runs=tuple(_in_turns(runs, preset.measure.repeats)),
        published=preset.published,
        changes=dict(changes),
        reduced=reduced,
    )


def _check_size(name: str, preset: Preset) -> None:
    """Check that the matrix can be expanded."""
    matrix = preset.matrix
    for count in matrix.devices:
        if count != "all" and count > MOST_DEVICES:
            raise PresetError(name, "matrix.devices", f"{count:,}; expected {MOST_DEVICES:,} at most")
    lists = (
        *(matrix.modes, matrix.devices, matrix.batches or (None,), preset.used_workloads),
        *matrix.vary.values(),
    )
    if math.prod(map(len, lists)) > MOST_RUNS:
        raise PresetError(name, "matrix", f"it holds too many runs; a plan has {MOST_RUNS:,} at most")


def _check_effects(name: str, matrix: Matrix, cells: Sequence[Cell]) -> None:
    """Check that each variable under test changes what some run does."""
    for key, values in matrix.vary.items():
        idle = (key in OF_DATA and all(map(makes_batches, cell.workloads)) for cell in cells)
        if len(values) > 1 and not any(
            key in cell.varied and not is_idle for cell, is_idle in zip(cells, idle, strict=True)
        ):
            problem = "it changes nothing in any of the runs: leave it out, or vary what it depends on"
            raise PresetError(name, f"matrix.vary.{key}", problem)


def _training_samples(name: str, cells: Sequence[Cell]) -> dict[Origin, int | None]:
    """Return how many samples each origin of data has. Raises PresetError for data that cannot be used."""
    samples: dict[Origin, int | None] = {}
    for cell in cells:
        for workload in cell.workloads:
            origin = origin_of(workload)
            if origin in samples:
                continue
            try:
                samples[origin] = samples_of(workload)
            except DataError as error:
                table = "matrix.vary" if error.key in cell.varied else cell.table or "workload"
                raise PresetError(name, f"{table}.{error.key}", error.problem) from None
    return samples


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


def _run(
    number: int, cell: Cell, told: str, preset: Preset, devices: tuple[Device, ...], host: Host
) -> RunSpec:
    """Return a run; `told`: its values of the variables under test in words."""
    names = list(dict.fromkeys(workload.name for workload in cell.workloads))
    label = f"{cell.mode} x{cell.devices}"
    if len(preset.matrix.batches) > 1:
        label += f", batch {cell.batch}"
    if len(preset.used_workloads) > 1:
        label += f", {' + '.join(names)}"
    if told:
        label += f", {told}"
    spec = RunSpec(
        id="",
        label=label,
        mode=cell.mode,
        devices=devices[: cell.devices] if cell.devices <= len(devices) else (),
        device_count=cell.devices,
        workloads=cell.workloads,
        measure=preset.measure,
        varied=cell.varied,
    )
    spec = with_scaled_rates(with_id(spec, f"{number:02d}", told))
    return replace(spec, skip=reason_to_skip(spec, devices, host))


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
                controls={key: ids[control] for key, control in spec.controls.items()},
            )
