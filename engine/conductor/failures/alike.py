"""Failures that are alike: what two of them have in common says which other runs would fail the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from ...plan.plan import RunSpec
from ...plan.workload.workload import Workload
from ...record.events import Failure, FailureKind, RunFinished

LASTING: frozenset[FailureKind] = frozenset({"raised", "no data", "hung"})
"""Kinds of failures that another attempt meets again. Memory may suffice for another run, and who kills a
process or keeps the ranks from starting may be gone by then."""

STOPPED = "stopped by a signal"
"""Words on a process that somebody has stopped from outside."""
RANKS = re.compile(r"^rank \d+(?:, \d+)*(?: or \d+)?: ")
VARYING = re.compile(r"0x[0-9a-f]+|\b\d+(?:\.\d+)? s\b|\bafter \d+ steps?\b|/\S*/")
"""Parts of a message that differ between failures that are alike: addresses, times, counts and folders."""
NOT_CAUSES = frozenset({"name", "batch", "batch_scope", "learning_rate"})
"""Fields of a workload whose change is not expected to help; the batch is judged apart."""
SIMPLEST = {"mode": "single", "devices": 1, "ranks that communicate": False}
"""Settings that are never to blame: a run with more than these would meet the same failure."""


class _Failed(Struct, frozen=True):
    spec: RunSpec
    failure: Failure


class LikeFailures:
    """The failures of a session so far, and the runs that prove which settings are not to blame.

    What two like failures differ in does not cause them; a run that shares all the rest would fail the same
    way, unless one that does so was measured.
    """

    def __init__(self) -> None:
        self._failed: list[_Failed] = []
        self._measured: list[RunSpec] = []

    def add(self, spec: RunSpec, finished: RunFinished) -> None:
        """Take in the end of a run."""
        if finished.outcome == "measured":
            self._measured.append(spec)
        elif finished.failure is not None and _lasts(finished.failure):
            self._failed.append(_Failed(spec, finished.failure))

    def foretell(self, spec: RunSpec) -> Failure | None:
        """Return the failure that a run would meet; None where it may work."""
        for number, second in enumerate(self._failed):
            for first in self._failed[:number]:
                if not _are_alike(first.failure, second.failure):
                    continue
                shared = _shared(first, second)
                if _has(spec, shared) and not any(_has(other, shared) for other in self._measured):
                    return second.failure
        return None


def _lasts(failure: Failure) -> bool:
    return failure.kind in LASTING and STOPPED not in failure.message


def _are_alike(one: Failure, other: Failure) -> bool:
    return one.kind == other.kind and _gist(one) == _gist(other)


def _gist(failure: Failure) -> str:
    return VARYING.sub("", RANKS.sub("", failure.message))


def _shared(first: _Failed, second: _Failed) -> Mapping[str, object]:
    """Return what two runs have in common that may have caused the failure of both."""
    theirs = dict(_settings(second.spec, second.spec.workload))
    shared = {
        key: value
        for key, value in _settings(first.spec, first.spec.workload)
        if key in theirs and theirs[key] == value
    }
    if not (_blames_batch(first) and _blames_batch(second)):
        shared.pop("batch", None)
    return {key: value for key, value in shared.items() if value != SIMPLEST.get(key)}


def _settings(spec: RunSpec, workload: Workload) -> Iterator[tuple[str, object]]:
    yield "mode", spec.mode
    yield "devices", spec.device_count
    yield "ranks that communicate", spec.mode in ("ddp", "fsdp") and spec.world_size > 1
    yield "batch", spec.batch_per_device()
    for field in Workload.__struct_fields__:
        if field not in NOT_CAUSES:
            yield field, getattr(workload, field)


def _blames_batch(failed: _Failed) -> bool:
    """Return whether another batch might work: a step is too slow, or the message speaks of it."""
    message = failed.failure.message
    sizes = {str(failed.spec.batch_per_device()), str(failed.spec.global_batch)}
    speaks_of_it = "batch" in message.lower() or sizes.intersection(re.findall(r"\d+", message))
    return failed.failure.kind == "hung" or bool(speaks_of_it)


def _has(spec: RunSpec, shared: Mapping[str, object]) -> bool:
    """Return whether a run has all that is shared, in one of its workloads."""
    for workload in spec.workloads:
        own = dict(_settings(spec, workload))
        if all(own[key] == value for key, value in shared.items()):
            return True
    return False
