"""The variables under test: each value of a configuration against that of a run that differs in it alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from ...plan.plan import RunSpec
from ...plan.preset.vary import setting_text, without
from ...record.run import RunState
from ...record.session import Session
from ...statistics import Interval, spans_one
from ...text.units import interval, ratio
from .baseline import comparable_pairs, throughput_ratio
from .configuration import Configuration
from .throughput import run_summary

WIDE = 1.25
"""Ratio beyond which an interval that spans 1 shows nothing, not even that a difference is small."""
NUMERICS = frozenset({"precision", "compress_gradients"})
"""Keys that change the numbers with which a model is trained."""
RECIPE = frozenset({
    "batch", "batch_scope", "accumulate", "optimizer", "learning_rate", "learning_rate_batch",
    "momentum", "weight_decay", "milestones", "gamma", "warmup_epochs", "clip_gradients", "augment",
})  # fmt: skip
"""Keys that change how a model learns."""
WORK = frozenset({
    "training", "model", "arguments", "data", "data_dir", "classes", "image_size", "images",
    "sequence_length", "vocabulary",
})  # fmt: skip
"""Keys that change what is trained, or on what."""
NOTES = {
    "numerics differ": "the numerics change with {key}: only losses that fall alike make a speedup count",
    "recipe differs": "the recipe changes with {key}: speed alone does not say which trains better",
    "another training": "what is trained changes with {key}: speed alone does not say which is better",
}
"""Remark below a table, by the remark beside a ratio."""


class Contrast(Struct, frozen=True, kw_only=True):
    """One value of a variable under test against another, with all else equal."""

    key: str
    """Key of the workload, as in `precision`."""
    value: str
    """Value in words, as in `bf16`."""
    against: str
    """Value that it is held against, in words."""
    control: str
    """Id of the run with that value."""
    ratio: float
    """Throughput over that of the control."""
    interval: Interval | None
    """95% interval of the ratio, computed like that of a speedup."""
    remark: str
    """Change of numerics, recipe or training that comes with the value, in two words; else empty."""

    @property
    def is_open(self) -> bool:
        """Whether the interval leaves open which of the two is faster."""
        return spans_one(self.interval)

    def __str__(self) -> str:
        return held_against(self.value, self.against, self.ratio, self.interval)


def held_against(ours: str, theirs: str, value: float, within: Interval | None) -> str:
    """Say how one value compares with another: `bf16 against fp32: 2.10x (95%: 2.05x to 2.15x)`."""
    bounds = f"95%: {interval(within, ratio)}" if within else "too few windows for an interval"
    if within is not None and spans_one(within):
        if within[0] < 1 / WIDE or within[1] > WIDE:
            return f"not clear yet whether {ours} or {theirs} is faster: {ratio(value)} ({bounds})"
        return f"{made_no_difference(ours, theirs)}: {ratio(value)} ({bounds})"
    return f"{ours} against {theirs}: {ratio(value)} ({bounds})"


def made_no_difference(ours: str, theirs: str) -> str:
    """Say that one value is as fast as another: `compile makes no measurable difference`."""
    if theirs == without(ours):
        return f"{ours} makes no measurable difference"
    if ours == without(theirs):
        return f"no measurable difference without {theirs}"
    return f"no measurable difference between {ours} and {theirs}"


def contrasts(session: Session, configuration: Configuration) -> tuple[Contrast, ...]:
    """Return what each value of a completed configuration brings, each repeat against that of its turn."""
    return tuple(_contrasts(session, configuration))


def _contrasts(session: Session, configuration: Configuration) -> Iterator[Contrast]:
    spec = configuration.spec
    for key, control in spec.controls.items():
        others = [(run, session.runs.get(run.spec.controls.get(key, ""))) for run in configuration.usable]
        pairs = [(run, other) for run, other in others if other is not None]
        if control not in session.runs or not all(key in run.spec.varied for pair in pairs for run in pair):
            continue  # a journal that no plan of this program wrote
        pairs, apart = comparable_pairs(pairs)
        if not pairs or apart:
            continue
        found = throughput_ratio(pairs)
        yield Contrast(
            key=key,
            value=setting_text(key, spec.varied[key]),
            against=setting_text(key, session.runs[control].spec.varied[key]),
            control=control,
            ratio=found.value,
            interval=found.interval,
            remark=remark_on(key),
        )


def gain_so_far(session: Session, run: RunState) -> tuple[float, str] | None:
    """Return the throughput of a measured run over that of the run it differs from in its only variable.

    Beside it the value there; None without one such variable, or where the two are not comparable.
    """
    if len(run.spec.controls) != 1:
        return None
    ((key, control),) = run.spec.controls.items()
    other = session.runs.get(control)
    if other is None or other is run or key not in other.spec.varied:
        return None
    done, apart = comparable_pairs([(run, other)])
    ours, theirs = run_summary(run).throughput, run_summary(other).throughput
    if not done or apart or ours is None or not theirs:
        return None
    return ours / theirs, setting_text(key, other.spec.varied[key])


def remark_on(key: str) -> str:
    """Return in two words what changes with a key besides speed; empty if nothing does."""
    first = key.partition(".")[0]
    for keys, remark in (
        (NUMERICS, "numerics differ"),
        (RECIPE, "recipe differs"),
        (WORK, "another training"),
    ):
        if first in keys:
            return remark
    return ""


def notes_on(session: Session, spec: RunSpec, found: Sequence[Contrast]) -> Iterator[str]:
    """Yield a remark on each variable that changes more than speed, and on a batch beside another."""
    keys = {contrast.key: contrast.remark for contrast in found if contrast.remark}
    baseline = session.runs.get(spec.baseline or "")
    if baseline is not None and spec.workload.batch != baseline.spec.workload.batch:
        alone = spec.workload.batch_scope == "global" or spec.device_count == baseline.spec.device_count
        keys |= {"batch": remark_on("batch")} if alone else {}
    for key, remark in keys.items():
        yield NOTES[remark].format(key=key)
