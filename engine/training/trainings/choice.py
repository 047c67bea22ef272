"""The training that a workload names."""

from __future__ import annotations

from ...plan.workload import Workload
from .images import ImageTraining
from .training import Training


def training_of(workload: Workload) -> Training:
    """Return the workload's training; nothing of it is read or built yet."""
    return ImageTraining(workload)
