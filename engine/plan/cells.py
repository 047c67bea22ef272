"""The cells of a preset's matrix on one host, and which of them are compared with which."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ..host.facts import Host
from ..text.encoding import encode_json
from .plan import RunSpec
from .preset.preset import Baseline, Matrix, Mode, Preset
from .preset.values import with_values
from .preset.vary import Varied, combinations, effective
from .workload.workload import Workload

CPU_SHARES = 2
"""Number of devices that `all` means on a machine without GPUs."""


class _Place(NamedTuple):
    """A place in the matrix."""

    table: str
    """Key of the workload's table, as in `workloads.cnn`; empty where ranks have workloads of their own."""
    mode: Mode
    devices: int
    batch: int | None
    """Batch of the workload; None for any."""
    values: bytes
    """Values of varied keys, as JSON."""


class Cell(Struct, frozen=True):
    """One cell of the matrix."""

    table: str
    mode: Mode
    devices: int
    workloads: tuple[Workload, ...]
    varied: dict[str, Any]

    @property
    def batch(self) -> int:
        """Batch of its first workload."""
        return self.workloads[0].batch

    def place(self, varied: Varied) -> _Place:
        """Return where in the matrix it would be with these values of varied keys."""
        return self._place(self.table, self.mode, self.devices, self.batch, varied)

    def place_of(self, baseline: Baseline, varied: Varied) -> _Place:
        """Return the place of its baseline, with these values of varied keys unless that has others."""
        table = f"workloads.{baseline.workload}" if baseline.workload else self.table
        batch = baseline.batch or (None if baseline.workload else self.batch)
        return self._place(table, baseline.mode, baseline.devices, batch, {**varied, **baseline.vary})

    def _place(self, table: str, mode: Mode, devices: int, batch: int | None, varied: Varied) -> _Place:
        values = effective(varied, with_values(self.workloads[0], varied), mode)
        return _Place(table, mode, devices, batch, encode_json({key: values[key] for key in sorted(values)}))


def uses_gpus(host: Host) -> bool:
    """Whether runs on this host train on GPUs: it has some, and torch is built for them."""
    return bool(host.gpus) and host.software.torch_cuda is not None


def cells_of(preset: Preset, host: Host) -> Iterator[Cell]:
    """Yield every cell of a preset's matrix; values of a variable under test one after the other.

    Combinations that differ only in keys without effect there are one cell.
    """
    cells = _all_cells(preset, host)
    if not preset.matrix.vary:
        yield from cells
        return
    yielded: set[_Place] = set()
    for cell in cells:
        place = cell.place(cell.varied)
        if place not in yielded:
            yielded.add(place)
            yield cell


def _all_cells(preset: Preset, host: Host) -> Iterator[Cell]:
    matrix = preset.matrix
    counts = _counts(matrix, host)
    batches = matrix.batches or (None,)
    alone = [mode for mode in matrix.modes if mode != "concurrent"]
    for (table, workload), batch, mode in product(preset.used_workloads.items(), batches, alone):
        for count, varied in product(_counts_of(mode, counts), combinations(matrix.vary)):
            made = _made(workload, batch, varied)
            yield Cell(table, mode, count, (made,), effective(varied, made, mode))
    if "concurrent" in matrix.modes:
        chosen = list(preset.used_workloads.values())
        for batch, count in product(batches, _counts_of("concurrent", counts)):
            for varied in combinations(matrix.vary):
                made_of = tuple(_made(chosen[rank % len(chosen)], batch, varied) for rank in range(count))
                yield Cell("", "concurrent", count, made_of, effective(varied, made_of[0], "concurrent"))


def is_wanted(cell: Cell, matrix: Matrix, host: Host) -> bool:
    """Return whether a cell is in `matrix.only`, itself or in place of one on devices that are not there."""
    counts = {cell.devices}
    if cell.devices == _substitute(matrix, host):
        counts |= {count for count in matrix.devices if count != "all" and count > cell.devices}
    return not matrix.only or any(
        part.holds(cell.mode, count, cell.workloads, cell.varied) for part in matrix.only for count in counts
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


def _made(workload: Workload, batch: int | None, varied: Varied) -> Workload:
    """Return a workload with a name, at a batch and with its values of varied keys."""
    made = with_values(workload, varied)
    return replace(made, name=made.title, batch=batch or made.batch)


def with_baselines(runs: list[RunSpec], cells: list[Cell], matrix: Matrix) -> Iterator[RunSpec]:
    """Yield each run with the id of the run that it is compared with."""
    baseline = matrix.baseline or _default_baseline(runs)
    alike = len({(spec.mode, spec.device_count) for spec in runs if spec.mode != "concurrent"}) == 1
    first = next((spec.varied for spec in runs if spec.skip is None), runs[0].varied)
    ids: dict[_Place, str] = {}
    for spec, cell in zip(runs, cells, strict=True):
        for place in (cell.place(cell.varied), cell.place(cell.varied)._replace(batch=None)):
            ids.setdefault(place, spec.id)
    for spec, cell in zip(runs, cells, strict=True):
        found = None
        if spec.mode != "concurrent" and baseline is not None:
            # Where nothing but values differs, they are what is compared.
            values = {key: first.get(key, value) for key, value in cell.varied.items()}
            found = ids.get(cell.place_of(baseline, values if alike else cell.varied))
        yield replace(spec, baseline=found)


def with_controls(runs: Iterator[RunSpec], cells: list[Cell], matrix: Matrix) -> Iterator[RunSpec]:
    """Yield each run with the ids of those that differ from it in one varied key alone.

    Of these each run is given the one with the baseline's value, or else the first that can be measured.
    """
    planned = list(runs)
    here = [(spec, cell) for spec, cell in zip(planned, cells, strict=True) if spec.skip is None]
    ids = {cell.place(cell.varied): spec.id for spec, cell in here}
    wanted = matrix.baseline.vary if matrix.baseline is not None else {}
    for spec, cell in zip(planned, cells, strict=True):
        controls: dict[str, str] = {}
        for key in cell.varied if cell.mode != "concurrent" else ():
            values = matrix.vary[key]
            first = [wanted[key]] if key in wanted else []
            places = (cell.place({**cell.varied, key: value}) for value in [*first, *values])
            found = next((ids[place] for place in places if place in ids), spec.id)
            controls |= {key: found} if found != spec.id else {}
        yield replace(spec, controls=controls)


def _default_baseline(runs: list[RunSpec]) -> Baseline | None:
    comparable = [spec for spec in runs if spec.mode != "concurrent"]
    singles = [spec for spec in comparable if spec.mode == "single"]
    if not comparable:
        return None
    first = min(singles or comparable, key=lambda spec: spec.device_count)
    return Baseline(first.mode, first.device_count)
