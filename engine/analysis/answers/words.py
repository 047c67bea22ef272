"""Words that answers share: what devices and modes are called, and verdicts on a speedup."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from ...statistics import Interval, spans_one
from ...text.units import count, interval, ratio

MODE_NAMES: dict[str, str] = {
    "single": "one device",
    "dp": "DataParallel",
    "ddp": "DDP",
    "fsdp": "FSDP",
    "concurrent": "side by side",
}

WORTH_IT = 0.75
"""Efficiency from which a speedup is worth its devices."""
WORTH_SOMETHING = 0.2
"""Share of what further devices can add from which they add more than barely anything."""
NO_DIFFERENCE = 0.05
"""Greatest deviation from 1 of an interval's ends within which the interval shows that nothing differs."""
PARTS = {1 / 2: "half", 1 / 3: "a third", 1 / 4: "a quarter"}
"""Fractions that are named where a ratio is near them."""
NEAR = 0.08
"""Greatest deviation of such a ratio, as a share of the fraction."""


class Verdict(IntEnum):
    """Judgement of a speedup, from the best to the worst."""

    YES = 0
    PROBABLY = 1
    """Worth it by its figure, but not by the lower end of its interval, or without an interval."""
    PARTLY = 2
    BARELY = 3
    UNKNOWN = 4
    """Measured so imprecisely that it may be faster or slower."""
    DOUBTED = 5
    """Measured, but a severe diagnosis says that the figure is wrong."""
    SAME = 6
    SLOWER = 7


YES_OR_NO = {
    Verdict.YES: "yes",
    Verdict.PROBABLY: "probably",
    Verdict.PARTLY: "partly",
    Verdict.BARELY: "barely",
    Verdict.UNKNOWN: "not clear yet",
    Verdict.DOUBTED: "unclear",
    Verdict.SAME: "no",
    Verdict.SLOWER: "no",
}
"""Verdicts as answers to a question about yes or no."""


def judge(speedup: float, within: Interval | None, devices: float, *, doubted: bool = False) -> Verdict:
    """Judge a speedup by its efficiency and its 95% interval; `devices`: those over the baseline's."""
    if doubted:
        return Verdict.DOUBTED
    if spans_one(within):
        return Verdict.SAME if shows_no_difference(within) else Verdict.UNKNOWN
    if speedup <= 1:
        return Verdict.SLOWER
    if speedup >= WORTH_IT * devices:
        is_sure = within is not None and within[0] >= WORTH_IT * devices
        return Verdict.YES if is_sure else Verdict.PROBABLY
    return Verdict.PARTLY if speedup - 1 >= WORTH_SOMETHING * (devices - 1) else Verdict.BARELY


def shows_no_difference(within: Interval | None) -> bool:
    """Return whether an interval leaves room for a small difference only."""
    return within is not None and within[0] >= 1 - NO_DIFFERENCE and within[1] <= 1 + NO_DIFFERENCE


def slower(value: float, what: str) -> str:
    """Say that something is slower: `half as fast as one GPU (0.51x)`."""
    for part, name in PARTS.items():
        if abs(value / part - 1) <= NEAR:
            return f"{name} as fast as {what} ({ratio(value)})"
    return f"slower than {what} ({ratio(value)})"


def confidence(within: Interval | None) -> str:
    """Return an interval of ratios: `95%: 0.90x to 1.20x`; empty without one."""
    return f"95%: {interval(within, ratio)}" if within else ""


def one_device(on_gpus: bool) -> str:
    """Return the name of the device that several are compared with."""
    return "one GPU" if on_gpus else "one device"


def some_devices(number: int, on_gpus: bool) -> str:
    """Return a number of devices in words: `one GPU`, `4 devices`."""
    return one_device(on_gpus) if number == 1 else count(number, "device")


def listed(parts: Sequence[str], last: str = "and") -> str:
    """Join words as in a sentence: `a, b and c`."""
    *most, final = parts
    return f"{', '.join(most)} {last} {final}" if most else final


def begun(text: str) -> str:
    """Return a sentence with a capital if it begins with a word, not with the name of a value or a run."""
    return capitalised(text) if text.startswith(("no ", "not ", "with ")) else text


def capitalised(text: str) -> str:
    """Return a text with a capital at its beginning, as a sentence has."""
    return text[:1].upper() + text[1:]
