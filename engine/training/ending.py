"""The end of a rank whose windows are measured: nothing that fails afterwards may cost them."""

from __future__ import annotations

import os
import threading
import time
from typing import NoReturn

from ..host.process import flush_output
from ..record.events import RankFinished
from .rank import Rank

LOOK_SECONDS = 0.5
"""Interval at which a rank checks whether the detail phase of another has failed."""


class Ending:
    """Ends a rank once, either by its own decision or because another rank's detail phase has failed.

    A rank inside a collective does not notice that a peer has left it: over NCCL it would wait until it is
    taken for hung, and the run would fail. So the rank that fails publishes a notice to the group, where a
    thread of each peer finds it, reports its rank as finished and ends the process.
    """

    def __init__(self, rank: Rank) -> None:
        self._rank = rank
        self._once = threading.Lock()

    def watch_others(self) -> None:
        """Start to check for a failure of another rank."""
        if self._rank.everyone.world_size > 1:
            threading.Thread(target=self._watch, name="ending", daemon=True).start()

    def share(self, trouble: str) -> str:
        """Tell the other ranks of a failure; return the first of all ranks' failures."""
        everyone = self._rank.everyone
        if everyone.world_size == 1:
            return trouble
        return everyone.publish(f"rank {everyone.rank}: {trouble}")

    def end(self, trouble: str) -> NoReturn:
        """Report the rank as finished and end the process; `trouble` is why the detail phase ended early."""
        self._once.acquire()  # never released: a second caller waits for the process to end
        reporter = self._rank.reporter
        reporter.phase("finishing")
        reporter.send(
            RankFinished(
                **reporter.stamp(), steps=reporter.steps, samples=reporter.samples, detail_trouble=trouble
            )
        )
        reporter.close()
        leave(0)

    def _watch(self) -> None:
        while (trouble := self._rank.everyone.notice()) is None:
            time.sleep(LOOK_SECONDS)
        self.end(trouble)


def leave(status: int) -> NoReturn:
    """End the process as it is.

    An orderly exit takes a second, waits for ranks that are lost, and takes gloo's process group apart, which
    joins a thread that may be waiting for the interpreter's lock while we hold it.
    """
    flush_output()
    os._exit(status)
