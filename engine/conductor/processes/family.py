"""The processes that one run has started, however indirectly, and their end."""

from __future__ import annotations

import time

from ...host.gpu.driver import Driver
from .fork_server import adopted, helpers
from .parentage import CLEANING_SECONDS, Killing, bury, descendants

SWEEP_SECONDS = 0.02
"""Interval at which processes that must end are killed again, until none is left."""
PATIENCE_SECONDS = 1.0 + CLEANING_SECONDS
"""Time after which processes that do not end when killed are given up."""


class Family:
    """The processes that come into being from now on, but for those that the session itself needs."""

    def __init__(self) -> None:
        self._before = descendants()
        self._killing, self._killing_orphans = Killing(), Killing()

    def strike(self) -> set[int]:
        """Kill all of them whose turn it is; return those that have not ended."""
        found = descendants() - self._spared
        left = self._killing.strike(found - helpers())
        self.end_orphans()
        return left

    def end_orphans(self) -> None:
        """Kill those whose parents have ended."""
        orphans = adopted() - self._spared
        self._killing_orphans.strike(orphans)
        bury(orphans)

    def end(self) -> set[int]:
        """Kill all of them until none is left; return those that cannot be killed."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (left := self.strike()) and time.monotonic() < deadline:
            time.sleep(SWEEP_SECONDS)
        return left

    @property
    def _spared(self) -> set[int]:
        return self._before | Driver.running
