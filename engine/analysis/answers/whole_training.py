"""The answer to how long a whole training takes, and how good the model gets."""

from __future__ import annotations

from ...text.units import count, duration, number, percent
from ..results.result import Result
from .inquiry import Inquiry, Sentence
from .words import MODE_NAMES, capitalised, some_devices


def how_long_and_how_good(inquiry: Inquiry) -> Sentence | None:
    """Answer with the time on the fewest devices and on the most, and the accuracy.

    As in `12 min 30 s on one GPU, 6 min 40 s with DDP on 2 devices; 87.1% accuracy after 50 epochs`.
    """
    found = [each for each in inquiry.with_figures if each.epochs and each.epoch_seconds is not None]
    if not found:
        return None
    several = len({each.workload for each in inquiry.results}) > 1
    clauses, about = [], []
    for workload in dict.fromkeys(each.workload for each in found):
        own = sorted((each for each in found if each.workload == workload), key=lambda each: each.devices)
        chosen = [own[0]]
        most = [each for each in own if each.devices == own[-1].devices and each.devices > own[0].devices]
        if most:
            chosen.append(min(most, key=_seconds_an_epoch))
        times = ", ".join(f"{_time(each)} {_where(inquiry, each)}" for each in chosen)
        clauses.append(f"{f'{workload}: ' if several else ''}{times}; {_accuracy(chosen)}")
        about += chosen
    return Sentence(capitalised("; ".join(clauses)), tuple(about))


def _seconds_an_epoch(result: Result) -> float:
    return result.epoch_seconds or 0.0


def _time(result: Result) -> str:
    return duration((result.epochs or 0) * _seconds_an_epoch(result))


def _where(inquiry: Inquiry, result: Result) -> str:
    devices = some_devices(result.devices, inquiry.on_gpus(result))
    on = f"on {devices}" if result.devices == 1 else f"with {MODE_NAMES[result.mode]} on {devices}"
    wanted, done = inquiry.spec(result).measure.epochs, result.epochs or 0
    return on if done >= wanted else f"{on} for {done} of {wanted} epochs"


def _accuracy(chosen: list[Result]) -> str:
    """Return the accuracy of each, or the loss where there is none, in words that name the epochs."""
    scored = any(each.test_accuracy is not None for each in chosen)
    reached = [percent(each.test_accuracy) if scored else number(each.test_loss) for each in chosen]
    *others, last = dict.fromkeys(each.epochs or 0 for each in chosen)
    after = " and ".join([*map(str, others), count(last, "epoch")])
    what = "test accuracy" if scored else "test loss"
    return f"{' and '.join(dict.fromkeys(reached))} {what} after {after}"
