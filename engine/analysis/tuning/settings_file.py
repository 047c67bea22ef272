"""The settings that a tune found, as a preset file: each change under its gain."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...plan.changed_run import MODE
from ...plan.learning_rate import with_rates_as_given
from ...plan.plan import RunSpec
from ...plan.preset.preset import Measure
from ...plan.preset.values import value_at
from ...plan.workload.workload import Workload
from ...record.session import Session
from ...text.plain import unbroken
from ...text.toml import toml_key, toml_value
from ...text.units import date_time
from ..environment import hardware
from .attempts import Tried
from .course import Course, course_of
from .tuning import Tuning, tuning_of
from .words import estimate_in_words, total_in_words

WIDTH = 100


def settings_file(session: Session) -> str:
    """Return a preset, as TOML, of the run that was tuned with the changes that were kept.

    Each has its gain above it. ValueError for a session that is no tune, or whose start was not measured.
    """
    tuning = tuning_of(session)
    course = course_of(session)
    if tuning is None or course.start is None or course.start.state != "measured":
        raise ValueError(f"{session.name} holds no settings that a tune found")
    reasons = _reasons(course)
    best = with_rates_as_given(course.best_spec)
    name = session.plan.preset
    lines = [
        *_comment(_heading(session, tuning)),
        f"title = {toml_value(f'{name}, tuned')}",
        f"question = {toml_value(f'How fast does {name} train with the settings that a tune found?')}",
        "",
        "[workload]",
        *_workload(best, reasons),
        "",
        "[measure]",
        *_pairs(_differing(replace(best.measure, repeats=1), Measure())),
        "",
        "[matrix]",
        *reasons.get(MODE, ()),
        f"modes = {toml_value([best.mode])}",
        f"devices = {toml_value([best.device_count])}",
    ]
    return "\n".join(lines) + "\n"


def _heading(session: Session, tuning: Tuning) -> str:
    when = date_time(session.unix_time)
    return (
        f"Settings that the tune {session.name} of {session.plan.preset} found on {hardware(session)}, "
        f"{when}. {total_in_words(tuning)}."
    )


def _reasons(course: Course) -> dict[str, list[str]]:
    """Return, as comments, what each change of a key brought: one may have been changed more than once."""
    found: dict[str, list[str]] = {}
    start = course.start_spec
    for tried, kept in zip(course.tried, course.contexts, strict=True):
        for key in tried.remedy.changes if tried.state == "kept" else ():
            before = kept.get(key, start.mode if key == MODE else value_at(start.workload, key))
            found.setdefault(key.partition(".")[0], []).extend(_reason(tried, before))
    return found


def _workload(best: RunSpec, reasons: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the keys of the workload that are not the defaults, those that were changed at the end."""
    workload = best.workload
    unset = replace(
        Workload(), name=workload.title if workload.name == replace(workload, name="").title else ""
    )
    yield from _pairs(
        {key: value for key, value in _differing(workload, unset).items() if key not in reasons}
    )
    for key in (each for each in reasons if each != MODE):
        if (value := value_at(workload, key)) is not None:
            yield from reasons[key]
            yield f"{key} = {toml_value(value)}"


def _reason(tried: Tried, before: Any) -> Iterator[str]:
    """Yield what a change brought, and what the value was before, as comments."""
    cure = f" against {tried.diagnosis}" if tried.diagnosis else ""
    was = "" if before is None else f"; {toml_value(before)} before"
    yield from _comment(f"{tried.remedy.name}{cure}: {estimate_in_words(tried.gain)}{was}.")


def _differing(table: Struct, unset: Struct) -> dict[str, Any]:
    """Return the values of a table other than those of another, by their keys."""
    ours, theirs = msgspec.to_builtins(table), msgspec.to_builtins(unset)
    return {key: value for key, value in ours.items() if value is not None and value != theirs[key]}


def _pairs(values: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{toml_key(key)} = {toml_value(value)}" for key, value in values.items())


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        unbroken(text), WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
