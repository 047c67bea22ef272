"""Comparability of two runs: everything but the variable under test must be equal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import msgspec

from ...plan.plan import RunSpec
from ...plan.preset.keys_in_effect import CONDITIONS, takes_effect
from ...plan.preset.preset import Mode
from ...plan.preset.values import with_values
from ...plan.workload.workload import Workload
from ...record.session import RunState, Session

Setting = str | int | float | bool

UNDER_TEST = frozenset({"affinity", "backend", "nccl", "batch_per_device", "global_batch"})
"""Settings in which the runs of a matrix differ by design."""
ENVIRONMENT = "environment"
"""Setting that holds the environment variables of a rank, as `NAME=VALUE ...`."""
VARIABLE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*?)(?= [A-Z][A-Z0-9_]*=|$)")
NEAR_GPUS = frozenset({"cores"})
"""Settings that differ on GPUs with the sockets that these are attached to."""
SCHEDULE = frozenset({"learning_rate", "learning_rate_batch", "warmup_epochs", "milestones", "gamma"})
"""Settings that decide the outcome of training but not the duration of a step."""
NOT_COMPARED = UNDER_TEST | SCHEDULE
"""Settings that may differ between a run and its baseline."""
FOLLOWING = {"precision": ("matmul_tf32", "cudnn_tf32")}
"""Settings that follow from a key of the workload under other names."""


def declared(run: RunSpec, other: RunSpec) -> dict[str, Any]:
    """Return the variables under test in which two runs differ, on purpose, with the first one's values."""
    both = {**other.varied, **run.varied}
    return {key: both[key] for key in both if run.varied.get(key) != other.varied.get(key)}


def differences(run: RunState, baseline: RunState) -> tuple[str, ...]:
    """Return the differences between two runs besides mode, devices, batch and variables under test.

    Empty if they are comparable. Every rank of the run is compared with the first rank of the baseline.
    """
    on_purpose = declared(run.spec, baseline.spec)
    found = workload_differences(run.spec, baseline.spec, on_purpose=on_purpose)
    found += _gpu_differences(run.spec, baseline.spec)
    first = min(baseline.ranks, default=None)
    if first is not None:
        keys = {key.partition(".")[0] for key in on_purpose}
        left_out = NOT_COMPARED | keys.union(*(FOLLOWING.get(key, ()) for key in keys))
        for rank in run.ranks.values():
            found += setting_differences(rank.settings, baseline.ranks[first].settings, left_out)
    return tuple(dict.fromkeys(found))


def fingerprint(session: Session, run: RunState) -> str | None:
    """Return a digest of everything that must be equal for two runs to be comparable, in any sessions.

    It covers the settings of every rank except those under test, the workload, the GPUs' names and links, and
    the driver. None before the ranks have reported their settings.
    """
    if not run.ranks or not all(rank.settings for rank in run.ranks.values()):
        return None
    ranks = {
        tuple(
            sorted(
                (key, str(value)) for key, value in _compared(rank.settings).items() if key not in CONDITIONS
            )
        )
        for rank in run.ranks.values()
    }
    workloads = {tuple(_in_fingerprint(workload, run.spec.mode)) for workload in run.spec.workloads}
    gpus = sorted({device.name for device in run.spec.devices if device.kind == "cuda"})
    links = sorted(f"{link.a}-{link.b} {link.kind}" for link in session.host.links)
    everything = (sorted(ranks), sorted(workloads), gpus, links, session.host.software.driver)
    return sha256(repr(everything).encode()).hexdigest()[:12]


def _in_fingerprint(workload: Workload, mode: Mode) -> Iterator[tuple[str, str]]:
    """Yield the keys of a workload with their values; those for some runs only where these set them.

    Else a run of single and one of ddp could not share a fingerprint.
    """
    unset = Workload()
    for name in _compared_fields():
        value = getattr(workload, name)
        if name not in CONDITIONS or (takes_effect(name, workload, mode) and value != getattr(unset, name)):
            yield name, str(value)


def setting_differences(
    ours: Mapping[str, Setting], theirs: Mapping[str, Setting], left_out: Set[str] = NOT_COMPARED
) -> list[str]:
    """Return the settings of one rank that differ from another's, as `NAME: OURS against THEIRS`.

    A key of a workload that takes effect in one of the runs only is no difference.
    """
    one_sided = CONDITIONS.keys() & (ours.keys() ^ theirs.keys())
    ours, theirs = _compared(ours, left_out | one_sided), _compared(theirs, left_out | one_sided)
    absent = dict.fromkeys([*ours, *theirs], "not recorded")
    if ENVIRONMENT in ours and ENVIRONMENT in theirs:
        ours, theirs = _with_variables(ours), _with_variables(theirs)
        absent = {key: absent.get(key, "unset") for key in [*ours, *theirs]}
    return [
        f"{key}: {ours.get(key, missing)} against {theirs.get(key, missing)}"
        for key, missing in absent.items()
        if ours.get(key) != theirs.get(key)
    ]


def _with_variables(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return settings with each environment variable as a setting of its own."""
    variables = VARIABLE.findall(str(settings[ENVIRONMENT]))
    return {**{key: value for key, value in settings.items() if key != ENVIRONMENT}, **dict(variables)}


def _compared(settings: Mapping[str, Setting], left_out: Set[str] = NOT_COMPARED) -> dict[str, Setting]:
    """Return the settings of a rank that are compared; only a rank on GPUs has one named `cuda`."""
    skipped = left_out | NEAR_GPUS if "cuda" in settings else left_out
    return {key: value for key, value in settings.items() if key not in skipped}


def workload_differences(
    run: RunSpec,
    other: RunSpec,
    ranks: tuple[int, int] = (0, 0),
    on_purpose: Mapping[str, Any] = MappingProxyType({}),
) -> list[str]:
    """Return the differences between the workloads of two runs besides names, batches and learning rates.

    Keys that do not take effect in both runs are none. `ranks` are those whose workloads are compared,
    `on_purpose` the values of keys that may differ.
    """
    ours, theirs = run.workload_of(ranks[0]), other.workload_of(ranks[1])
    try:
        a, b = (with_values(each, on_purpose) for each in (ours, theirs))
    except msgspec.ValidationError:  # a journal that no plan of this program wrote
        a, b = ours, theirs
    return [
        f"{name}: {getattr(ours, name)} against {getattr(theirs, name)}"
        for name in _compared_fields()
        if getattr(a, name) != getattr(b, name)
        and takes_effect(name, ours, run.mode)
        and takes_effect(name, theirs, other.mode)
    ]


def _compared_fields() -> tuple[str, ...]:
    alike = SCHEDULE | {"name", "batch", "batch_scope"}
    return tuple(name for name in Workload.__struct_fields__ if name not in alike)


def _gpu_differences(ours: RunSpec, theirs: RunSpec) -> list[str]:
    a, b = ({device.name for device in spec.devices if device.kind == "cuda"} for spec in (ours, theirs))
    return [f"GPUs: {', '.join(sorted(a))} against {', '.join(sorted(b))}"] if a != b else []
