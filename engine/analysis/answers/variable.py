"""The answer to what the values of a variable under test bring: each against the one it is held against."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...plan.preset.vary import settings_text
from ...text.units import gib, gib_number, percent, ratio
from ..results.result import Result
from ..results.variables import Contrast, held_against, made_no_difference
from .inquiry import Inquiry, Sentence
from .words import MODE_NAMES, some_devices

MANY = 3
"""Number of variables from which the values are not all named that a combination is held against."""
MOST_CLAUSES = 3
"""Values that are given at most; of more, those that change most."""
FOR_MEMORY = frozenset({"checkpoint_activations", "reshard_after_forward"})
"""Keys that trade speed for memory, so that memory is half of the answer."""

_Found = list[tuple[Result, Contrast]]


def which_value(inquiry: Inquiry) -> Sentence | None:
    """Answer with each value on the most devices: `bf16 against fp32: 2.10x (95%: 2.05x to 2.15x)`.

    Where it is measured beside several values of other variables, at several batches or with several
    workloads, with the range. None where no variable is under test, or nothing of it was measured.
    """
    found = [(result, contrast) for result in inquiry.results for contrast in result.contrasts]
    if not found:
        return None
    most = max(result.devices for result, _ in found)
    there = [(result, contrast) for result, contrast in found if result.devices == most]
    mode = max((result for result, _ in there), key=lambda result: result.throughput or 0.0).mode
    there = [(result, contrast) for result, contrast in there if result.mode == mode]
    by_value: dict[tuple[str, str, str], _Found] = {}
    for result, contrast in there:
        by_value.setdefault((contrast.key, contrast.value, contrast.against), []).append((result, contrast))
    ranked = sorted(by_value.values(), key=_effect, reverse=True)[:MOST_CLAUSES]
    clauses = [_clause(each) + _memory(inquiry, each) for each in by_value.values() if each in ranked]
    if len(by_value) > len(ranked):
        clauses.append(f"{len(by_value) - len(ranked)} more in the table")
    about = [result for each in ranked for result, _ in each]
    together = _together(
        inquiry, [each for each in inquiry.results if (each.mode, each.devices) == (mode, most)]
    )
    if together is not None:
        clauses.insert(0, together.text)
        about += together.about
    remarks = dict.fromkeys(contrast.remark for each in ranked for _, contrast in each if contrast.remark)
    text = "; ".join([*clauses, *remarks])
    if most > 1 or mode != "single":
        on = some_devices(most, inquiry.on_gpus(there[0][0]))
        text = f"with {MODE_NAMES[mode]} on {on}, {text}"
    return Sentence(text, tuple({result.run: result for result in about}.values()))


def answered(inquiry: Inquiry, sentence: Sentence | None) -> Sentence | None:
    """Return the sentence that answers another question, followed by what a variable under test brings."""
    brought = which_value(inquiry)
    if sentence is None or brought is None:
        return sentence
    return Sentence(f"{sentence.text}; {brought.text}", (*sentence.about, *brought.about))


def _clause(found: _Found) -> str:
    _, first = found[0]
    if len(found) == 1:
        return str(first)
    ratios = sorted(contrast.ratio for _, contrast in found)
    within = f"{ratio(ratios[0])} to {ratio(ratios[-1])}"
    if all(contrast.is_open for _, contrast in found):
        return f"{made_no_difference(first.value, first.against)}: {within}"
    return f"{first.value} against {first.against}: {within}"


def _memory(inquiry: Inquiry, found: _Found) -> str:
    """Return a clause on the memory that a value of one of `FOR_MEMORY` saves; else nothing."""
    result, contrast = found[0]
    if contrast.key not in FOR_MEMORY or len(found) > 1:
        return ""
    control = next((each for each in inquiry.results if each.run == contrast.control), None)
    ours, theirs = result.peak_memory_bytes, control.peak_memory_bytes if control else None
    if ours is None or not theirs:
        return ""
    less = f"{percent(1 - ours / theirs)} less" if ours < theirs else "no less"
    return f", with {less} memory ({gib_number(ours)} against {gib(theirs)} a device)"


def _effect(found: _Found) -> float:
    return max(abs(math.log(contrast.ratio)) for _, contrast in found)


def _together(inquiry: Inquiry, results: Sequence[Result]) -> Sentence | None:
    """Return the best combination of several variables, against the baseline that differs in them alone."""
    found = []
    for result in results:
        baseline = inquiry.baseline(result)
        if baseline is None or result.speedup is None:
            continue
        apart = [key for key, value in result.varied.items() if baseline.varied.get(key) != value]
        if len(apart) > 1 and (result.mode, result.devices) == (baseline.mode, baseline.devices):
            found.append((result, baseline, apart))
    if not found:
        return None
    result, baseline, apart = max(found, key=lambda each: each[0].speedup or 0.0)
    ours, theirs = (
        settings_text({key: each.varied[key] for key in apart if key in each.varied})
        for each in (result, baseline)
    )
    if len(apart) >= MANY:
        ours, theirs = f"{ours} together", "none of them"
    text = held_against(ours, theirs, result.speedup or 0.0, result.speedup_interval)
    return Sentence(text, (result, baseline))
