"""Models of a step without its buckets: its communication as a whole, growing with the number of devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...record.events import Collective, Piece
from ..results.bandwidth import Curve, bus_factor
from .collectives import Layout, collective_seconds
from .link_rate import LinkRate, fitted_rate


class TimedStep(NamedTuple):
    """A measured step: on so many devices, of so many forward and backward passes each."""

    devices: int
    passes: int
    seconds: float


class ProportionalModel(NamedTuple):
    """A step as passes x seconds of a pass + exchange x 2(N-1)/N.

    It needs nothing but two measured steps. What computation hides and what it does not are not told apart:
    both are taken to grow like the traffic of a ring.
    """

    pass_seconds: float
    exchange_seconds: float

    @classmethod
    def through(cls, first: TimedStep, largest: TimedStep) -> ProportionalModel:
        """Return the model that gives both steps; where more devices were faster, exchange is free and the
        step on the most of them is kept."""
        a, b = bus_factor("all_reduce", first.devices), bus_factor("all_reduce", largest.devices)
        scale = first.passes * b - largest.passes * a
        exchange = (first.passes * largest.seconds - largest.passes * first.seconds) / scale if scale else 0.0
        if exchange <= 0:
            return cls(largest.seconds / largest.passes, 0.0)
        return cls((largest.seconds - exchange * b) / largest.passes, exchange)

    def step(self, devices: int, passes: int) -> float:
        """Return the seconds of a step of so many passes on these devices."""
        return passes * self.pass_seconds + self.exchange_seconds * bus_factor("all_reduce", devices)


class PieceModel(NamedTuple):
    """Collectives of a run of FSDP on more devices than its own.

    They are those of its pieces, at the rates that its curves show. How much of them computation hides on
    more devices is not modelled: no more than on those measured.
    """

    devices: int
    pieces: tuple[Piece, ...]
    gather: LinkRate
    scatter: LinkRate

    @classmethod
    def of(cls, devices: int, pieces: Sequence[Piece], curves: Mapping[str, Curve]) -> PieceModel | None:
        """Return the model of a run; None without its pieces or one of its curves."""
        gather, scatter = curves.get("all_gather"), curves.get("reduce_scatter")
        if not pieces or gather is None or scatter is None:
            return None
        rates = fitted_rate(gather, devices), fitted_rate(scatter, devices)
        if rates[0] is None or rates[1] is None:
            return None
        return cls(devices, tuple(pieces), rates[0], rates[1])

    def excess(self, layout: Layout, between: LinkRate | None = None) -> float:
        """Return how much longer a step's collectives take on these devices than on those measured, in s."""
        return self._seconds(layout, between) - self._seconds(Layout(self.devices, 1), None)

    def _seconds(self, layout: Layout, between: LinkRate | None) -> float:
        def of(collective: Collective, size: int, within: LinkRate) -> float:
            return collective_seconds(collective, size, layout, within, between)

        return sum(
            piece.gathers * of("all_gather", piece.bytes, self.gather)
            + of("reduce_scatter", piece.reduced_bytes, self.scatter)
            for piece in self.pieces
        )
