"""Models with a fault each, for sessions that are to be diagnosed; ranks load this file by its path."""

import os
import time

from torch import Tensor, nn


class Sleep(nn.Module):
    """Takes time that no computation explains."""

    def __init__(self, *regimes: float) -> None:
        super().__init__()
        self.regimes = regimes

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.regimes[int(time.monotonic() / 0.3) % len(self.regimes)])
        return x


def small(classes: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, classes))


class Breaking(nn.Module):
    """Passes on what it is given, until after some steps it is no number."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        return x if self.left >= 0 else x * float("nan")


def breaking(classes: int) -> nn.Module:
    """The loss is not finite from step 9 on."""
    return nn.Sequential(small(classes), Breaking(9))


def asleep(classes: int) -> nn.Module:
    """20 ms a step, whatever the batch."""
    return nn.Sequential(Sleep(0.020), small(classes))


def jumpy(classes: int) -> nn.Module:
    """Fast for a while, then slow for a while."""
    return nn.Sequential(Sleep(0.004, 0.016), small(classes))


def late(classes: int) -> nn.Module:
    """Rank 1 takes 30 ms more for its backward pass."""
    model = small(classes)

    def wait(*_: object) -> None:
        if os.environ.get("RANK") == "1":
            time.sleep(0.030)

    model[2].register_full_backward_pre_hook(wait)
    return model


def heavy(classes: int) -> nn.Module:
    """Many parameters and little to compute: most of a step is an all-reduce that nothing hides."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 2048, bias=False), nn.ReLU(), nn.Linear(2048, classes))
