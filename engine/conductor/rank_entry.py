"""The first code a rank runs: it makes the rank observable before its worker is imported."""

from __future__ import annotations

import faulthandler
import os
import pkgutil
import signal
import time
from collections.abc import Sequence
from multiprocessing.queues import Queue
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ..host.process import die_with_parent, flush_output, print_error, redirect_output
from ..host.shortage import with_remedy
from ..record.events import FailureKind, RankFailed
from ..text.plain import described

if TYPE_CHECKING:
    from ..plan.assignment import Assignment


class Entered(Struct, frozen=True):
    """A rank's first message, which says that its process exists."""

    pid: int


def enter(worker: str, assignment: Assignment, queues: Sequence[Queue[Any]]) -> None:
    """Run `worker`, "module:function", as the rank that `RANK` names; report a failure and exit with 1."""
    die_with_parent()
    rank = int(os.environ["RANK"])
    queue = keep_own_end(queues, rank)
    queue.put(Entered(os.getpid()))
    kind: FailureKind = "launch"
    try:
        redirect_output(Path(assignment.logs) / assignment.log_name(rank))
        # The watchdog asks a rank that hangs for its stacks before it kills it.
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
        # A terminal's Ctrl+C reaches the ranks too, but only the session process handles it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        work = pkgutil.resolve_name(worker)
        kind = "raised"
        work(assignment, queues)
    except BaseException as error:  # whatever the worker did not catch, SystemExit included
        print_error()
        at = time.monotonic() - assignment.started
        message = with_remedy(described(error))
        queue.put([RankFailed(at=at, run=assignment.run.id, rank=rank, kind=kind, message=message)])
        _leave(queue, status=1)


def keep_own_end(queues: Sequence[Queue[Any]], rank: int) -> Queue[Any]:
    """Close all ends but this rank's writing end: a message cut off by a rank's death must end in EOF."""
    for other, queue in enumerate(queues):
        close_end(queue, "_reader")
        if other != rank:
            close_end(queue, "_writer")
    return queues[rank]


def close_end(queue: Queue[Any], end: str) -> None:
    """Close one end of a queue's pipe, `_reader` or `_writer`: long-standing names, but undocumented."""
    getattr(queue, end).close()


def _leave(queue: Queue[Any], status: int) -> None:
    queue.close()
    queue.join_thread()
    flush_output()
    os._exit(status)
