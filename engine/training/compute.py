"""How much arithmetic a step is, and how much of it the rank's devices can do in a second."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch.utils.flop_counter import FlopCounterMode

from ..plan.plan import RunSpec
from ..plan.preset import Workload
from ..record.events import Compute
from ..statistics import median
from .errors import kind_of
from .group import Group
from .models import BUILT_IN, build_model
from .parallel import own_batch
from .precision import SIXTEEN_BITS
from .reporter import Reporter
from .timing import Mark, clock_for

GPU_SIZES = (8192, 4096, 2048, 1024)
"""Rows and columns of the matrices on a GPU: the first that fits."""
CPU_SIZES = (256, 512, 1024, 2048, 4096)
"""On a CPU: the first whose product takes long enough."""
LONG_ENOUGH = 0.01
"""Seconds of a product that is large enough for a CPU."""
SECONDS = 0.15
"""How long the product is repeated for, about."""
FEWEST, MOST = 5, 100
"""Repetitions of the product."""


def report_compute(
    run: RunSpec, rank: int, devices: Sequence[torch.device], everyone: Group, reporter: Reporter
) -> None:
    """Count and measure, and say so. All ranks must call it together."""
    workload = run.workload_of(rank)
    reporter.phase("detail", "arithmetic of a step")
    flop = flop_per_step(workload, own_batch(run, rank))
    reporter.phase("detail", "matrix product")
    peak = peak_flop_per_second(SIXTEEN_BITS.get(workload.precision, torch.float32), devices, everyone)
    reporter.send(
        Compute(
            at=reporter.now(),
            run=run.id,
            rank=rank,
            flop_per_step=flop,
            peak_flop_per_second=peak,
        )
    )


def flop_per_step(workload: Workload, batch: int) -> int | None:
    """FLOP of a batch, forward and backward; None where they cannot be counted, and the log says why.

    They are counted on a model whose tensors have shapes and no content: nothing is computed, and neither the
    mode nor the kernels of a device change the count.
    """
    meta = torch.device("meta")
    try:
        # Only models known to need no values while they are built are built without any.
        with meta if workload.model in BUILT_IN else nullcontext():
            model = build_model(workload)
        images = torch.empty(batch, 3, workload.image_size, workload.image_size, device=meta)
        labels = torch.empty(batch, dtype=torch.int64, device=meta)
        with FlopCounterMode(display=False) as counter:
            F.cross_entropy(model.to(meta)(images), labels).backward()  # type: ignore[no-untyped-call]
    except Exception as error:  # a model of one's own may do anything
        print(f"the arithmetic of a step cannot be counted: {type(error).__name__}: {error}")
        return None
    return int(counter.get_total_flops())


def peak_flop_per_second(
    dtype: torch.dtype, devices: Sequence[torch.device], everyone: Group
) -> float | None:
    """What a large product of random matrices reaches on the slowest of the rank's devices.

    All devices of all ranks work at the same time, so that what they share limits them. None where there is
    no memory for it.
    """
    products = [large_product(dtype, device) for device in devices]
    everyone.gather([0.0])  # all begin together
    fitting = [product for product in products if product is not None]
    running = [product.start(SECONDS) for product in fitting]
    ended = [product.read(marks) for product, marks in zip(fitting, running, strict=True)]
    found = [product.flop / median(seconds) for product, seconds in zip(fitting, ended, strict=True)]
    return min(found) if len(found) == len(devices) else None


class Product:
    """A product of two random square matrices; of zeros it would take less power, and thus less time."""

    def __init__(self, size: int, dtype: torch.dtype, device: torch.device) -> None:
        self.flop = 2 * size**3
        self._clock = clock_for([device])
        self._factors = [torch.randn(size, size, dtype=dtype, device=device) for _ in range(2)]
        self._result = torch.empty_like(self._factors[0])
        self.read(self._repeat(1))  # libraries and kernels are loaded
        (self.seconds,) = self.read(self._repeat(1))

    def start(self, seconds: float) -> list[Mark]:
        """Begin to repeat it for about so long; the moments at which each repetition is over."""
        return self._repeat(min(MOST, max(FEWEST, round(seconds / self.seconds))))

    def read(self, marks: list[Mark]) -> list[float]:
        """Seconds of each repetition; waits for the last."""
        self._clock.synchronize()
        return [self._clock.seconds(start, end) for start, end in pairwise(marks)]

    def _repeat(self, times: int) -> list[Mark]:
        marks = [self._clock.mark()]
        for _ in range(times):
            torch.mm(*self._factors, out=self._result)
            marks.append(self._clock.mark())
        return marks


def large_product(dtype: torch.dtype, device: torch.device) -> Product | None:
    """One large enough to show what the device can do; None where it has no memory for any."""
    if device.type == "cpu":
        sizes = iter(CPU_SIZES)
        product = Product(next(sizes), dtype, device)
        while product.seconds < LONG_ENOUGH and (size := next(sizes, None)):
            product = Product(size, dtype, device)
        return product
    for size in GPU_SIZES:
        try:
            return Product(size, dtype, device)
        except RuntimeError as error:
            if kind_of(error) != "out of memory":
                raise
    return None
