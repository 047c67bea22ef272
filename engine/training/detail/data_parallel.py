"""Communication of DataParallel: when it scatters, replicates, gathers and reduces.

For use after the measured windows. Times are those of the first device, where every operation begins and
ends: gathering includes the wait for the device that finishes its forward pass last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, ParamSpec, TypeVar

from torch import Tensor, nn

from ...record.events import Exchange
from ..device.clock import Clock, Mark

P = ParamSpec("P")
T = TypeVar("T")


def data_parallel_of(model: nn.Module) -> nn.DataParallel[nn.Module] | None:
    """Return the model as DataParallel; None in other modes."""
    return model if isinstance(model, nn.DataParallel) else None


class ExchangeHook:
    """Marks both ends of each of a DataParallel's operations, and changes none of them."""

    def __init__(self, model: nn.DataParallel[nn.Module], clock: Clock) -> None:
        """Wrap the model's operations; `clock` must be its own: torch reduces gradients in another thread."""
        self.steps: list[dict[Exchange, list[tuple[Mark, Mark]]]] = []
        """Operations of each step since `begin`, with the marks of both ends."""
        self._clock = clock
        self._reducing: Mark | None = None
        self._replicate = model.replicate
        # Attributes of an object take precedence over methods of its class.
        model.scatter = self._timed("scatter", model.scatter)  # type: ignore[method-assign]
        model.replicate = self._replicated  # type: ignore[method-assign]
        model.gather = self._timed("gather", model.gather)  # type: ignore[method-assign]

    def begin(self) -> None:
        """Start a new step."""
        self.steps.append({})

    def seconds(self) -> dict[Exchange, list[float]]:
        """Return the seconds of each operation in each step; the device must be done with all steps."""
        names = dict.fromkeys(name for step in self.steps for name in step)
        return {
            name: [
                sum(self._clock.seconds(start, end) for start, end in step.get(name, ()))
                for step in self.steps
            ]
            for name in names
        }

    def _timed(self, name: Exchange, operate: Callable[P, T]) -> Callable[P, T]:
        def timed(*args: P.args, **kwargs: P.kwargs) -> T:
            start = self._clock.mark()
            done = operate(*args, **kwargs)
            self._note(name, start)
            return done

        return timed

    def _replicated(self, module: nn.Module, device_ids: Sequence[Any]) -> list[nn.Module]:
        """Return the replicas; replication is a broadcast, whose backward reduces the gradients."""
        replicas: list[nn.Module] = self._timed("replicate", self._replicate)(module, device_ids)
        trained = next(name for name, parameter in module.named_parameters() if parameter.requires_grad)
        copy: Tensor = attrgetter(trained)(replicas[0])
        if copy.grad_fn is not None:
            copy.grad_fn.register_prehook(self._before_reducing)
            copy.grad_fn.register_hook(self._after_reducing)
        return replicas

    def _before_reducing(self, *_: object) -> None:
        self._reducing = self._clock.mark()

    def _after_reducing(self, *_: object) -> None:
        if self._reducing is not None:
            self._note("reduce", self._reducing)

    def _note(self, name: Exchange, start: Mark) -> None:
        self.steps[-1].setdefault(name, []).append((start, self._clock.mark()))
