"""The training that a workload names."""

from __future__ import annotations

from ...plan.workload.trainings import own_training
from ...plan.workload.workload import Workload
from .images import ImageTraining
from .own import OwnTraining
from .tokens import TokenTraining
from .training import Training


def training_of(workload: Workload) -> Training:
    """Return the workload's training; nothing of it is read or built yet."""
    if own_training(workload.training) is not None:
        return OwnTraining(workload)
    return TokenTraining(workload) if workload.training == "tokens" else ImageTraining(workload)
