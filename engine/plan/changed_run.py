"""A run with other settings: what a remedy makes of it, on the devices it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ..host.facts import Host
from .data import origin_of, samples_of, too_little_data
from .learning_rate import with_rates_as_given, with_scaled_rates
from .limits import reason_to_skip
from .naming import with_id
from .plan import Device, RunSpec
from .preset.preset import Mode
from .preset.values import value_at, with_values
from .preset.vary import effective, setting_text, settings_text
from .workload.data_error import DataError

MODE = "mode"
"""Key of a change of the mode, which is no key of the workload."""
RATES = frozenset({"learning_rate", "learning_rate_batch"})
"""Keys that decide a learning rate, beside the batch."""


def changed_run(
    spec: RunSpec, changes: Mapping[str, Any], devices: tuple[Device, ...], host: Host
) -> RunSpec:
    """Return a run with changes as a plan would have it (see `as_changed`).

    `skip` says why these `devices`, those of the plan, cannot do it. Raises msgspec.ValidationError where a
    key or a value is not allowed.
    """
    changed = as_changed(spec, changes)
    return replace(changed, skip=reason_to_skip(changed, devices, host) or _lack_of_data(changed))


def as_changed(spec: RunSpec, changes: Mapping[str, Any]) -> RunSpec:
    """Return a run with other values for keys of its workload, or in another `mode`.

    The changed keys are variables under test, and id and label name them. It is compared with no run. The id
    is unique among runs of other settings. Raises msgspec.ValidationError where a key or a value is not
    allowed.
    """
    values = {key: value for key, value in changes.items() if key != MODE}
    changed = _with_values(spec, values, msgspec.convert(changes.get(MODE, spec.mode), Mode))
    own = {key: value for key, value in spec.varied.items() if key not in values}
    typed = {key: value_at(changed.workload, key) for key in values}
    varied = effective({**own, **typed}, changed.workload, changed.mode)
    number = re.match(r"\d+", spec.id)
    changed = replace(
        changed,
        label=_label(spec, changed, typed),
        varied={key: value for key, value in varied.items() if key != "batch"},
        baseline=None,
        controls={},
        repeat=1,
        skip=None,
        attempt=None,
    )
    return with_id(changed, number[0] if number else "01", settings_text(varied))


def changes_in_effect(spec: RunSpec, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that would alter what a run does: those to other values than it has.

    Raises msgspec.ValidationError where a key or a value is not allowed.
    """
    values = {key: value for key, value in changes.items() if key != MODE}
    mode = msgspec.convert(changes.get(MODE, spec.mode), Mode)
    found: dict[str, Any] = {MODE: mode} if mode != spec.mode else {}
    for workload in spec.workloads:
        changed = with_values(workload, values)
        typed = {key: value_at(changed, key) for key in values}
        found |= {
            key: value
            for key, value in effective(typed, changed, mode).items()
            if value != value_at(workload, key)
        }
    return found


def _with_values(spec: RunSpec, values: Mapping[str, Any], mode: Mode) -> RunSpec:
    """Return a run with other values, with learning rates scaled to its new batch where they were before."""
    workloads = tuple(with_values(workload, values) for workload in spec.workloads)
    changed = replace(spec, workloads=workloads, mode=mode)
    if changed.global_batch == spec.global_batch and not RATES & values.keys():
        return changed
    given = with_rates_as_given(spec).workloads
    workloads = tuple(with_values(workload, values) for workload in given)
    return with_scaled_rates(replace(changed, workloads=workloads))


def _label(spec: RunSpec, changed: RunSpec, values: Mapping[str, Any]) -> str:
    """Return the label of a changed run: that of the run, with the new values in place of its own."""
    label = spec.label.removesuffix(f", repeat {spec.repeat}")
    before = [setting_text(key, value_at(spec.workload, key)) for key in values]
    parts = [part for part in label.split(", ") if part not in before]
    if parts and parts[0].startswith(f"{spec.mode} x"):
        parts[0] = f"{changed.mode} x{changed.device_count}"
    told = settings_text(effective(values, changed.workload, changed.mode))
    return ", ".join([*parts, told] if told else parts)


def _lack_of_data(spec: RunSpec) -> str | None:
    """Return why the data of a run are too few, or cannot be used; None where all is well."""
    try:
        samples = {origin_of(workload): samples_of(workload) for workload in spec.workloads}
    except DataError as error:
        return f"workload.{error.key}: {error.problem}"
    return too_little_data(spec, samples)
