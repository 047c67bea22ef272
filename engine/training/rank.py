"""One rank of a run: what all parts of a measurement need to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..plan.plan import RunSpec
from ..plan.workload.workload import Workload
from .device.devices import RankDevices
from .parallel.group import Group
from .reporter import Reporter


@dataclass(frozen=True)
class Rank:
    """A rank that is set up: its process is in order, and it has met the others."""

    run: RunSpec
    index: int
    """The rank's number in the run."""
    devices: RankDevices
    everyone: Group
    """All ranks of the run."""
    team: Group
    """The ranks that train one model together: everyone, or in a concurrent run this rank alone."""
    reporter: Reporter

    @property
    def workload(self) -> Workload:
        """The workload that this rank trains."""
        return self.run.workload_of(self.index)
