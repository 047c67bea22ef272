"""Which rank a failure of a run is due to: the one that went first, whatever its peers report."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from ...host.gpu.errors import abort_reason, memory_shortage, remedy_for
from ...plan.plan import RunSpec
from ...plan.workload.user_code import user_code_of
from ...record.events import FailureKind, RankFailed
from ...record.silence import TRAINING, is_compiled
from ...text.grouping import index_ranges
from ...text.units import count
from ..processes.fork_server import signal_name
from .evidence import Observations
from .stacks import Doing, Frame, last_line, read_stacks, read_tail
from .watchdog import RankWatch, RunWatch, Silence

REPORT_SECONDS = 0.1
"""Time for which a rank keeps its steps before it reports them: those of a rank that hangs stay untold."""
TOGETHER_SECONDS = 2.0
"""Time within which the last events of ranks prove nothing, where steps are shorter."""
BUSY = 0.03
"""CPU seconds a second above which a rank computes; its reports take far fewer."""
MUCH_BUSIER = 4.0
"""Times that one rank must use the CPU more than every other to be the one that computes."""

CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
"""Signals of errors in native code: Python writes the stacks before they end it."""

PEER_LOST = re.compile(
    r"(connection|socket).{0,40}(closed|reset|refused|aborted|timed? ?out)"
    r"|broken pipe|(read|write) error (\[|remote=)|remote process exited|ncclremoteerror|by (remote )?peer\b"
    r"|pair closure|watchdog caught collective|timed out waiting|wait timeout|connectfullmesh",
    re.IGNORECASE,
)
"""Matches the error of a rank that lost its peer: never the first cause where there is another."""

CUT_OFF = (
    "its process lives on, but closed its connection to this program: "
    "your code may close only files that it has opened itself"
)
"""Message on a rank that closed its pipe and did not end."""

TIMED_OUT = re.compile(r"timed? ?out|timeout", re.IGNORECASE)
"""Matches the error of a rank that has waited for a peer, which may still be there."""


class Cause(Struct, frozen=True, kw_only=True):
    """Failure of one rank, or of one of several."""

    at: float
    kind: FailureKind
    ranks: tuple[int, ...]
    """The rank; several where it cannot be told which."""
    message: str
    secondary: bool = False
    """Whether the loss of another rank may explain it."""

    @property
    def rank(self) -> int | None:
        """The rank, if it is known."""
        return self.ranks[0] if len(self.ranks) == 1 else None

    @property
    def sentence(self) -> str:
        """The message; it begins with the ranks where there are several."""
        return self.message if len(self.ranks) == 1 else f"{one_of(self.ranks)}: {self.message}"


class Ends(Struct, frozen=True, kw_only=True):
    """Ends of the processes of a run's ranks."""

    codes: Mapping[int, int]
    """Exit codes by process id; negative: the signal that ended it."""
    times: Mapping[int, float] = {}
    """Times of the ends by rank, by `time.monotonic()`, in their order; some may be missing."""
    noticed: Collection[int] = ()
    """Ranks that elastic's agent found ended before it ended others."""
    killed: float = float("inf")
    """Time at which the ranks were killed."""


def one_of(ranks: Sequence[int]) -> str:
    """Return ranks as alternatives: `rank 0, 1 or 2`."""
    *most, last = map(str, sorted(ranks))
    return f"rank {', '.join(most)} or {last}" if most else f"rank {last}"


def is_of_peer(kind: FailureKind, message: str) -> bool:
    """Whether a failure complains of another rank that went first."""
    return kind == "raised" and PEER_LOST.search(message) is not None


def cause_of_silence(watch: RunWatch, silence: Silence, evidence: Observations, started: float) -> Cause:
    """Return which of the silent ranks hangs: the one that does not wait for another."""
    suspects = _suspects(watch, silence, evidence)
    first = min(suspects, key=lambda each: each.heard)
    return Cause(
        at=silence.noticed - started,
        kind="hung",
        ranks=tuple(each.rank for each in suspects),
        message=_describe_silence(watch.spec, first, silence, evidence, alone=len(suspects) == 1),
    )


def _suspects(watch: RunWatch, silence: Silence, evidence: Observations) -> list[RankWatch]:
    on_cpu = all(device.kind == "cpu" for device in watch.spec.devices)
    tests: list[Callable[[list[RankWatch]], list[RankWatch]]] = [
        lambda left: [each for each in left if each.rank in silence.halted | evidence.halted],
        lambda left: [each for each in left if evidence.doing(each.rank) != "waiting"],
        lambda left: _only_busy(left, evidence) if on_cpu else [],
        _behind,
        _silent_first,
    ]
    left = list(silence.ranks)
    for test in tests:
        if len(left) > 1:
            left = test(left) or left
    return left


def _only_busy(left: list[RankWatch], evidence: Observations) -> list[RankWatch]:
    """Return the only rank that computes while all others wait, if their stacks do not say otherwise."""
    if any(evidence.doing(each.rank) == "working" for each in left):
        return []
    *others, most = sorted(left, key=lambda each: evidence.use.get(each.rank, 0.0))
    use = evidence.use.get(most.rank, 0.0)
    rest = max(evidence.use.get(each.rank, use) for each in others)
    return [most] if use > BUSY and use > MUCH_BUSIER * rest else []


def _behind(left: list[RankWatch]) -> list[RankWatch]:
    """Return the ranks with fewer steps than others, if no unreported step can explain it."""
    least, most = (pick(each.steps for each in left) for pick in (min, max))
    untold = max(int(REPORT_SECONDS / each.mean_step) if each.mean_step else 0 for each in left)
    return [each for each in left if each.steps == least] if most - least > untold else []


def _silent_first(left: list[RankWatch]) -> list[RankWatch]:
    """Return the rank whose last event is clearly older than those of all others."""
    first, second = sorted(left, key=lambda each: each.said)[:2]
    longest = max(each.longest_step or 0.0 for each in left)
    return [first] if second.said - first.said > max(TOGETHER_SECONDS, 2 * longest) else []


def _describe_silence(
    spec: RunSpec, watched: RankWatch, silence: Silence, evidence: Observations, *, alone: bool
) -> str:
    seconds = silence.noticed - watched.heard
    steps = f"after {count(watched.steps, 'step')}" if watched.steps else "before the first step"
    told = f"no progress for {seconds:.0f} s {steps}"
    if watched.rank in silence.halted | evidence.halted:
        return f"{told}: its process was stopped by a signal"
    where = _apart(spec, silence, evidence) or (_place(spec, watched.rank, evidence) if alone else "")
    return f"{told}{where}{_remedy_for_silence(spec, watched, evidence.doing(watched.rank))}"


def _remedy_for_silence(spec: RunSpec, watched: RankWatch, doing: Doing) -> str:
    """Return what to try where ranks of fsdp wait for each other, or the first step may only be slow."""
    workload = spec.workload_of(watched.rank)
    if spec.mode == "fsdp" and doing == "waiting" and user_code_of(workload) is not None:
        together = ", or set workload.find_unused_parameters = true, with which the model is gathered at once"
        return "; all ranks must call the same blocks of the model" + (
            "" if workload.find_unused_parameters else together
        )
    if watched.steps or watched.phase not in TRAINING:
        return ""
    if is_compiled(spec, watched.rank):
        return "; torch.compile was at work: raise measure.hang_seconds, or set workload.compile = false"
    return "; if a step may take so long, raise measure.hang_seconds, or lower workload.batch"


def _apart(run: RunSpec, silence: Silence, evidence: Observations) -> str:
    """Return where ranks of one's own code wait for each other in different places; empty if they do not."""
    if any(evidence.doing(each.rank) != "waiting" for each in silence.ranks):
        return ""
    places: dict[str, list[int]] = {}
    for each in silence.ranks:
        own = _own_frame(run, each.rank, evidence.stacks(each.rank).main)
        places.setdefault(str(own or ""), []).append(each.rank)
    if len(places) < 2 or "" in places:
        return ""
    several = (
        f"{'ranks' if len(ranks) > 1 else 'rank'} {index_ranges(ranks)} in {place}"
        for place, ranks in places.items()
    )
    return f": the ranks wait for each other in different places, {' and '.join(several)}"


def _own_frame(run: RunSpec, rank: int, frames: Sequence[Frame]) -> Frame | None:
    """Return the innermost frame in the user's own code."""
    user = user_code_of(run.workload_of(rank))
    return next((frame for frame in frames if user and user.holds(frame.file)), None)


def _place(run: RunSpec, rank: int, evidence: Observations) -> str:
    """Return where a rank is: in the user's own code if it is there or was called from there."""
    return _place_in(run, rank, evidence.stacks(rank).main)


def _place_in(run: RunSpec, rank: int, frames: Sequence[Frame]) -> str:
    own = _own_frame(run, rank, frames)
    if own is not None and own is not frames[0]:
        return f", in {own}, which called {frames[0]}"
    return f", in {frames[0]}" if frames else ""


def cause_of_failure(
    watch: RunWatch, ends: Ends, evidence: Observations, logs: Sequence[Path], started: float
) -> Cause:
    """Return why the run failed: the first failure of a rank that another's end does not explain."""
    ranks = watch.ranks
    first = next((rank for rank in ends.times if not ranks[rank].finished), None)
    found = []
    for watched in ranks.values():
        if watched.failed is not None:
            found.append(_told(watched.failed))
        elif watched.ended is not None and not watched.finished:
            # When one has failed, elastic sends SIGTERM to the others, of which some codes may be missing.
            innocent = watched.rank == first or watched.rank in {*ends.noticed, *evidence.leaving}
            found.append(_exit(watch.spec, watched, ends, logs[watched.rank], started, spared=innocent))
    found.sort(key=lambda cause: cause.at)
    primary = next((cause for cause in found if not cause.secondary), None)
    return primary or _missed(watch, evidence, found[0]) or found[0]


def _told(failed: RankFailed) -> Cause:
    secondary = is_of_peer(failed.kind, failed.message)
    return Cause(
        at=failed.at, kind=failed.kind, ranks=(failed.rank,), message=failed.message, secondary=secondary
    )


def _exit(run: RunSpec, watched: RankWatch, ends: Ends, log: Path, started: float, *, spared: bool) -> Cause:
    """Return the end of a rank that said nothing; `spared`: elastic's agent has not ended it."""
    assert watched.ended is not None
    code = None if watched.pid is None else ends.codes.get(watched.pid)
    killed_by_us = ends.times.get(watched.rank, float("inf")) >= ends.killed
    if watched.cut_off and (code in (None, -signal.SIGTERM) or (code == -signal.SIGKILL and killed_by_us)):
        return Cause(at=watched.ended - started, kind="raised", ranks=(watched.rank,), message=CUT_OFF)
    gone = ends.times.get(watched.rank, watched.ended)
    ended_by_agent = code in (None, -signal.SIGTERM) and not spared
    taken_along = ended_by_agent or (code in (None, -signal.SIGKILL) and gone >= ends.killed)
    kind, message = _describe_exit(run, watched, code, log)
    if watched.cut_off and code is not None and code < 0:
        message += ", after it had closed its connection to this program"
    secondary = taken_along or is_of_peer(kind, message)
    return Cause(at=gone - started, kind=kind, ranks=(watched.rank,), message=message, secondary=secondary)


def _missed(watch: RunWatch, evidence: Observations, complaint: Cause) -> Cause | None:
    """Return the rank that the others waited for in vain, where one was stopped or at work elsewhere."""
    others = [each.rank for each in watch.ranks.values() if each.rank not in complaint.ranks]
    if stopped := tuple(rank for rank in others if rank in evidence.halted):
        return Cause(
            at=complaint.at, kind="hung", ranks=stopped, message="its process was stopped by a signal"
        )
    if not TIMED_OUT.search(complaint.message):
        return None
    if busy := tuple(rank for rank in others if evidence.doing(rank) == "working"):
        where = _place(watch.spec, busy[0], evidence) if len(busy) == 1 else ""
        message = f"the other ranks waited for it in vain{where}"
        return Cause(at=complaint.at, kind="hung", ranks=busy, message=message)
    return None


def _describe_exit(run: RunSpec, watched: RankWatch, code: int | None, log: Path) -> tuple[FailureKind, str]:
    if code == -signal.SIGABRT and (reason := abort_reason(read_tail(log))):
        remedy = remedy_for(reason)
        message = f"aborted: {reason}" + (f"; {remedy}" if remedy else "")
        return "out of memory" if memory_shortage(reason) == "certain" else "raised", message
    if code is not None and code < 0:
        name = signal_name(-code)
        if -code in CRASHES:
            return "killed", f"killed by {name}{_place_in(run, watched.rank, read_stacks(log).main)}"
        guess = ", by a user or by the kernel when memory ran out" if name == "SIGKILL" else ""
        return "killed", f"killed by {name}{guess}"
    said = last_line(log)
    tail = f"; last line of its log: {said}" if said else ""
    status = f"with status {code}" if code else "without a message"
    if watched.started:
        return "raised", f"ended {status} before it had finished{tail}"
    return "launch", f"ended {status} before it had started{tail}"
