"""Arithmetic of a step, and the peak rate of the rank's devices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ...plan.preset.preset import Mode
from ...plan.workload.workload import Workload
from ...record.events import ComputeMeasured
from ...statistics import median
from ...text.plain import described
from ..device.clock import Mark
from ..device.devices import RankDevices
from ..errors import kind_of
from ..parallel.group import Group
from ..parallel.modes import own_batch
from ..precision import SIXTEEN_BITS
from ..rank import Rank
from ..trainings.training import Training

Shape = Sequence[int]

SECONDS = 0.15
"""Approximate duration of all repetitions of the product."""
FEWEST, MOST = 5, 100
"""Number of repetitions of the product."""


def report_compute(rank: Rank, training: Training, take_pass: Callable[[], object]) -> None:
    """Report a step's arithmetic and the devices' peak; all ranks must call it together.

    `take_pass` does one forward and backward pass of this rank, with gradients averaged over all.
    """
    workload, reporter = rank.workload, rank.reporter
    reporter.phase("detail", "counting the FLOP of a step")
    flop = flop_per_step(training, own_batch(rank.run, rank.index), workload.accumulate)
    uncounted = [1.0] in rank.team.gather([float(flop is None)])
    if uncounted and shows_operators(rank.run.mode, workload):
        flop = workload.accumulate * flop_of(take_pass)
        print(f"counted in a real pass instead: {flop:,}")
    reporter.phase("detail", "peak of a matrix product")
    dtype = SIXTEEN_BITS.get(workload.precision, torch.float32)
    peak = peak_flop_per_second(dtype, rank.devices, rank.everyone)
    reporter.send(ComputeMeasured(**reporter.stamp(), flop_per_step=flop, peak_flop_per_second=peak))


def flop_per_step(training: Training, batch: int, passes: int = 1) -> int | None:
    """Return the FLOP of a step's passes over a batch each; None where torch cannot count them (see the log).

    They are those of the model: what checkpointing computes anew does not count.

    They are counted on meta tensors, which have shapes and no content: nothing is computed, and the count
    depends neither on the mode nor on the kernels of a device. A model that decides by values, as masks are
    looked at in transformers, cannot do without.
    """
    try:
        model = training.module_of(training.build_meta_model())
        example = training.example(batch, torch.device("meta"))

        def take_pass() -> None:
            loss, _ = training.loss(model, example)
            loss.backward()  # type: ignore[no-untyped-call]

        return passes * flop_of(take_pass)
    except Exception as error:  # a user's model may raise anything
        print(f"the FLOP of a step cannot be counted: {described(error)}")
        return None


def shows_operators(mode: Mode, workload: Workload) -> bool:
    """Return whether a real pass calls the model's operators, each as often as it counts, in this thread."""
    return mode != "dp" and not workload.compile and workload.checkpoint_activations == "none"


def flop_of(take_pass: Callable[[], object]) -> int:
    """Return the FLOP of a forward and backward pass."""
    with FlopCounterMode(display=False, custom_mapping=ATTENTION) as counter:
        take_pass()
    return int(counter.get_total_flops())


def _attention(query: Shape, key: Shape, value: Shape, *_: object, **__: object) -> int:
    *batch, rows, width = query
    return 2 * math.prod(batch) * rows * key[-2] * (width + value[-1])


def _attention_backward(_: Shape, query: Shape, key: Shape, value: Shape, *__: object, **___: object) -> int:
    return 2 * _attention(query, key, value)


_KERNELS = ("flash_attention", "flash_attention_for_cpu", "efficient_attention", "cudnn_attention")
ATTENTION: dict[Any, Callable[..., int]] = {
    getattr(torch.ops.aten, f"_scaled_dot_product_{kernel}{end}"): formula
    for kernel in _KERNELS
    for end, formula in (("", _attention), ("_backward", _attention_backward))
    if hasattr(torch.ops.aten, f"_scaled_dot_product_{kernel}{end}")
}
"""FLOP of the kernels of attention as meta tensors do it, in matrix products; torch knows not all of them."""


def peak_flop_per_second(dtype: torch.dtype, devices: RankDevices, everyone: Group) -> float | None:
    """Return the FLOP/s of a large product of random matrices on the slowest of the rank's devices.

    All devices of all ranks work at the same time, so that shared limits (power, memory) apply. Return None
    where a device has no memory for the matrices.
    """
    products = [large_product(dtype, device) for device in devices.split()]
    everyone.gather([0.0])  # all begin together
    fitting = [product for product in products if product is not None]
    running = [product.start(SECONDS) for product in fitting]
    ended = [product.read(marks) for product, marks in zip(fitting, running, strict=True)]
    found = [product.flop / median(seconds) for product, seconds in zip(fitting, ended, strict=True)]
    return min(found) if len(found) == len(products) else None


class Product:
    """A product of two random square matrices; zeros would need less power, and thus less time."""

    def __init__(self, size: int, dtype: torch.dtype, device: RankDevices) -> None:
        self.flop = 2 * size**3
        self._clock = device.new_clock()
        self._factors = [torch.randn(size, size, dtype=dtype, device=device.first) for _ in range(2)]
        self._result = torch.empty_like(self._factors[0])
        self.read(self._repeat(1))  # loads libraries and kernels
        (self.seconds,) = self.read(self._repeat(1))

    def start(self, seconds: float) -> list[Mark]:
        """Submit repetitions for about that many seconds; return the marks that separate them."""
        return self._repeat(min(MOST, max(FEWEST, round(seconds / self.seconds))))

    def read(self, marks: list[Mark]) -> list[float]:
        """Return the seconds of each repetition; waits for the last."""
        self._clock.synchronize()
        return [self._clock.seconds(start, end) for start, end in pairwise(marks)]

    def _repeat(self, times: int) -> list[Mark]:
        marks = [self._clock.mark()]
        for _ in range(times):
            torch.mm(*self._factors, out=self._result)
            marks.append(self._clock.mark())
        return marks


def large_product(dtype: torch.dtype, device: RankDevices) -> Product | None:
    """Return the first product that takes long enough, or the largest; None where none fits the memory.

    `device` is one of the rank's devices by itself.
    """
    found: Product | None = None
    for size in device.product_sizes:
        try:
            found = Product(size, dtype, device)
        except (RuntimeError, MemoryError) as error:
            if kind_of(error) != "out of memory":
                raise
            break
        if found.seconds >= device.product_seconds:
            break
    return found
