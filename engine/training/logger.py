"""What torch's own DDP logger says of backward, for comparison: a private interface, which may be gone."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from torch.nn.parallel import DistributedDataParallel

GONE = (AttributeError, KeyError, TypeError, ValueError, AssertionError, RuntimeError)
"""What a private interface that changed may raise."""


class Logged(NamedTuple):
    """One step's backward, in seconds."""

    computation: float
    exposed: float
    """Communication after the computation, the copying of averaged gradients back into place included."""


class DdpLogger:
    """Reads the logger of a model; on a GPU that waits for the device, so it is for no timed step."""

    def __init__(self, ddp: DistributedDataParallel) -> None:
        self._ddp = ddp
        with suppress(*GONE):  # otherwise it looks only at each hundredth step
            ddp._set_ddp_runtime_logging_sample_rate(1)  # type: ignore[no-untyped-call]

    def step_before(self) -> Logged | None:
        """Of the step before the newest: figures appear with the next forward. None where there are none."""
        try:
            data = self._ddp._get_ddp_logging_data()  # type: ignore[no-untyped-call]
            computation = int(data["backward_compute_time"]) / 1e9
            communication = int(data["backward_comm_time"]) / 1e9
            overlap = int(data["backward_compute_comm_overlap_time"]) / 1e9
        except GONE:
            return None
        return Logged(computation, communication - overlap)
