"""The plan of a tune, as it begins: the run that is to be made faster, measured as it is."""

from __future__ import annotations

from msgspec.structs import replace

from .plan import Plan, RunSpec
from .preset.preset import Mode
from .remedy import Attempt, Tune
from .trial_plan import run_alone


class NothingToTuneError(Exception):
    """A plan has no run that can be tuned; the message is one sentence."""


def tune_plan(plan: Plan, run: RunSpec, tune: Tune) -> Plan:
    """Return the plan that a tune of one of the plan's runs begins with."""
    start = replace(run_alone(run), attempt=Attempt(number=0, purpose="start"))
    return Plan(
        preset=plan.preset,
        title=f"Tune of {plan.title}",
        question=f"What makes {start.label} faster, and how fast does it get?",
        devices=plan.devices,
        runs=(start,),
        paces={start.id: plan.paces[run.id]} if run.id in plan.paces else {},
        changes=plan.changes,
        reduced=plan.reduced,
        tune=tune,
    )


def run_to_tune(plan: Plan, name: str | None = None, mode: Mode | None = None) -> RunSpec:
    """Return the run of a plan that a tune makes faster: of those that fit here, the one on most devices.

    Of several it is one of ddp, else the last. `name` is the id or the label of a run, or the beginning of
    one that no other has; `mode` that of the run. Raises NothingToTuneError.
    """
    fit = [spec for spec in plan.to_run if spec.mode != "concurrent" and spec.repeat == 1]
    if not fit:
        raise NothingToTuneError(f"{plan.preset} has no run that can be tuned here{_why(plan)}")
    found = [spec for spec in fit if mode in (None, spec.mode)]
    if not found:
        modes = ", ".join(dict.fromkeys(spec.mode for spec in fit))
        raise NothingToTuneError(f"{plan.preset} has no run of mode {mode} here; it has runs of {modes}")
    if name is not None:
        found = [spec for spec in found if name in (spec.id, spec.label)] or [
            spec for spec in found if spec.id.startswith(name) or spec.label.startswith(name)
        ]
        if len(found) != 1:
            runs = "; ".join(f"{spec.id} ({spec.label})" for spec in found or fit)
            what = "are several runs that begin with it" if found else "is no such run here"
            raise NothingToTuneError(f"{name!r}: there {what}; expected one of {runs}")
    most = max(spec.device_count for spec in found)
    widest = [spec for spec in found if spec.device_count == most]
    return ([spec for spec in widest if spec.mode == "ddp"] or widest)[-1]


def _why(plan: Plan) -> str:
    reasons = "; ".join(plan.skipped)
    return f": {reasons}" if reasons else ": concurrent runs are not tuned"
