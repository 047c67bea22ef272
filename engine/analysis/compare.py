"""Two sessions side by side, run by run: what became faster or slower, and what else differs between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from ..record.session import RunState, Session
from .comparable import Setting, setting_differences, workload_differences
from .comparison import throughput_ratio
from .environment import environment
from .estimates import Interval
from .repeats import configurations, label, usable
from .statistics import FEWEST
from .summary import run_summary, summarise_repeats

Verdict = Literal["better", "worse", "no difference", "too few windows", "no figures"]

PASSING = frozenset({"load average at the start"})
"""What of a machine is never the same twice."""


class Difference(Struct, frozen=True):
    """One thing that the two sessions do not have in common; `not recorded` where one does not say."""

    what: str
    a: str
    b: str


class Change(Struct, frozen=True, kw_only=True):
    """A configuration that both sessions have."""

    label: str
    mode: str
    devices: int
    workload: str
    batch_per_device: int
    run_a: str
    """Id, of the first repeat."""
    run_b: str
    a: float | None
    """Samples/s."""
    b: float | None
    ratio: float | None
    """b / a."""
    interval: Interval | None
    """95% interval of the ratio: by bootstrap over both runs' windows, by Student's t over repeats."""
    verdict: Verdict
    reason: str
    """Why there is no ratio, or what its interval lacks."""
    differences: tuple[str, ...]
    """Settings and workload, `NAME: B against A`."""

    def is_regression(self, percent: float) -> bool:
        """Whether it is worse by more than so many percent, and its interval agrees that it is worse.

        A run that was measured in the first session and is not in the second is one too.
        """
        if self.ratio is None:
            return self.a is not None and self.b is None
        return self.verdict == "worse" and self.ratio < 1 - percent / 100


class SessionComparison(Struct, frozen=True, kw_only=True):
    """Session b against session a."""

    a: str
    b: str
    environment: tuple[Difference, ...]
    """Host, GPUs, versions."""
    changes: tuple[Change, ...]
    only_a: tuple[str, ...]
    """Labels of the configurations that only the first session has."""
    only_b: tuple[str, ...]


def compare_sessions(a: Session, b: Session) -> SessionComparison:
    """Match the configurations by mode, devices, workload and batch, and hold each of b against a's."""
    ours, theirs = _by_key(a), _by_key(b)
    return SessionComparison(
        a=a.name,
        b=b.name,
        environment=tuple(_environment(a, b)),
        changes=tuple(_change(ours[key], theirs[key]) for key in ours if key in theirs),
        only_a=tuple(label(repeats) for key, repeats in ours.items() if key not in theirs),
        only_b=tuple(label(repeats) for key, repeats in theirs.items() if key not in ours),
    )


Key = tuple[str, int, tuple[tuple[str, int], ...], int]


def _by_key(session: Session) -> dict[Key, list[RunState]]:
    """The configurations by what matches them; of several alike, the second is told by its number."""
    found: dict[Key, list[RunState]] = {}
    for repeats in configurations(session):
        spec = repeats[0].spec
        workloads = tuple((each.name or each.model, each.batch) for each in spec.workloads)
        number = sum(key[:3] == (spec.mode, spec.device_count, workloads) for key in found)
        found[(spec.mode, spec.device_count, workloads, number)] = repeats
    return found


def _environment(a: Session, b: Session) -> Iterator[Difference]:
    ours, theirs = dict(environment(a)), dict(environment(b))
    for what in dict.fromkeys([*ours, *theirs]):
        if what not in PASSING and ours.get(what) != theirs.get(what):
            yield Difference(what, ours.get(what, "not recorded"), theirs.get(what, "not recorded"))


def _change(ours: Sequence[RunState], theirs: Sequence[RunState]) -> Change:
    spec = ours[0].spec
    before, after = summarise_repeats(ours).throughput, summarise_repeats(theirs).throughput
    pairs = list(zip(_measured(theirs), _measured(ours), strict=False))
    found = throughput_ratio(pairs) if pairs else None
    verdict, reason = _verdict(ours, theirs, found.interval if found else None, bool(pairs))
    return Change(
        label=label(ours),
        mode=spec.mode,
        devices=spec.device_count,
        workload=" + ".join(dict.fromkeys(each.name or each.model for each in spec.workloads)),
        batch_per_device=spec.batch_per_device(),
        run_a=spec.id,
        run_b=theirs[0].spec.id,
        a=before if _measured(ours) else None,
        b=after if _measured(theirs) else None,
        ratio=found.value if found else None,
        interval=found.interval if found else None,
        verdict=verdict,
        reason=reason,
        differences=tuple(_differences(ours, theirs)),
    )


def _measured(repeats: Sequence[RunState]) -> list[RunState]:
    return [run for run in usable(repeats) if run.state == "measured" and run_summary(run).throughput]


def _verdict(
    ours: Sequence[RunState], theirs: Sequence[RunState], interval: Interval | None, paired: bool
) -> tuple[Verdict, str]:
    if not paired:
        missing = [
            f"{label(repeats)} {_state(repeats)} in {which}"
            for repeats, which in ((ours, "the first session"), (theirs, "the second"))
            if not _measured(repeats)
        ]
        return "no figures", "; ".join(missing)
    if interval is None:
        return "too few windows", f"an interval needs {FEWEST} windows in each session, or two repeats"
    if interval[0] > 1:
        return "better", ""
    return ("worse", "") if interval[1] < 1 else ("no difference", "")


def _state(repeats: Sequence[RunState]) -> str:
    run = usable(repeats)[0] if usable(repeats) else repeats[0]
    if run.state == "measured":
        return "has no throughput of its own"
    if run.state in ("skipped", "stopped"):
        return f"was {run.state}"
    return run.state if run.state == "failed" else f"is {run.state}"


def _differences(ours: Sequence[RunState], theirs: Sequence[RunState]) -> Iterator[str]:
    for a, b in zip(ours[0].spec.workloads, theirs[0].spec.workloads, strict=False):
        yield from workload_differences(b, a)
    a_settings, b_settings = _settings(ours), _settings(theirs)
    if a_settings and b_settings:
        in_workload = set(ours[0].spec.workload.__struct_fields__)
        for text in setting_differences(b_settings, a_settings):
            if text.partition(":")[0] not in in_workload:
                yield text


def _settings(repeats: Sequence[RunState]) -> dict[str, Setting]:
    run = usable(repeats)[0] if usable(repeats) else repeats[0]
    return run.ranks[min(run.ranks)].settings if run.ranks else {}
