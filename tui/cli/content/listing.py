"""The content of the listings of presets, this machine and sessions: as data for `--json`, and as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ....engine.analysis.environment import devices
from ....engine.analysis.sessions.overview import SessionOverview, ShelfOverview
from ....engine.analysis.trained import REDUCED_FORM
from ....engine.host.facts import Host
from ....engine.plan.estimate import estimate
from ....engine.plan.expand import make_plan
from ....engine.plan.plan import Plan
from ....engine.plan.preset.errors import PresetError
from ....engine.plan.preset.library import PresetFile, all_presets, user_folder
from ....engine.plan.preset.overrides import of_override
from ....engine.record.paces import read_paces, with_paces
from ....engine.record.shelf import Shelf
from ....engine.text.units import count, date_time


class Listing(Struct, frozen=True):
    """A listing in both of its forms."""

    data: Any
    """Plain values, ready for JSON."""
    text: str


def preset_listing(host: Host, overrides: Sequence[str], shelf: Shelf) -> Listing:
    """List every preset with its plan for this host."""
    data, blocks, paces = [], [], read_paces(shelf.root)
    for preset_file in all_presets():
        try:
            preset = preset_file.read(overrides)
            plan = make_plan(preset_file.name, preset, host, preset_file.changes(overrides))
            plan = with_paces(plan, host, paces)
        except PresetError as error:
            problem = str(of_override(error, overrides))
            data.append({"name": preset_file.name, "path": str(preset_file.path), "error": problem})
            blocks.append(f"{preset_file.name}\n    invalid: {problem}")
            continue
        data.append(_preset_data(preset_file, preset.group, plan))
        blocks.append(_preset_text(preset_file, plan))
    blocks.append(f"Put your own presets into {user_folder()}")
    return Listing(data, "\n\n".join(blocks))


def _preset_data(preset_file: PresetFile, group: str, plan: Plan) -> dict[str, Any]:
    expected = estimate(plan)
    return {
        "name": preset_file.name,
        "path": str(preset_file.path),
        "instead_of": preset_file.instead_of or None,
        "title": plan.title,
        "question": plan.question,
        "group": group,
        "estimated_seconds": None if expected.low is None else [expected.low, expected.high],
        "reduced": plan.reduced,
        "runs": [
            {"id": spec.id, "label": spec.label, "skip": spec.skip, "varied": spec.varied}
            for spec in plan.runs
        ],
    }


def _preset_text(preset_file: PresetFile, plan: Plan) -> str:
    lines = [
        f"{preset_file.name}: {plan.title}",
        f"    {plan.question}",
        f"    here: {count(len(plan.to_run), 'run')} on {devices(plan)}, {estimate(plan)}",
    ]
    if plan.reduced:
        lines[-1] += f"; {REDUCED_FORM}"
    if preset_file.instead_of:
        lines.append(f"    {preset_file.stands_in}")
    for reason, labels in plan.skipped.items():
        lines += textwrap.wrap(
            f"skipped: {'; '.join(labels)}: {reason}", 96, initial_indent="    ", subsequent_indent="      "
        )
    return "\n".join(lines)


def session_listing(shelf: Shelf, text: str = "") -> Listing:
    """List the sessions on the shelf, newest first; with `text`, only lines that contain all its words."""
    overview = ShelfOverview(shelf)
    seen = [overview.complete(entry.name) or entry for entry in overview.read()]
    entries = [entry for entry in seen if entry.matches(text)]
    data = [msgspec.to_builtins(entry) for entry in entries]
    unreadable = overview.unreadable()
    if not seen and not unreadable:
        return Listing(data, f"no sessions yet in {shelf.root}; gpubench-tui run quickstart creates one")
    if not entries and seen:
        return Listing(data, f"none of the {count(len(seen), 'session')} in {shelf.root} matches {text!r}")
    width = max((len(entry.name) for entry in entries), default=0)
    lines = [line for entry in entries for line in _session_lines(entry, width)]
    lines += [f"{session.name}: {session}" for session in unreadable]
    return Listing(data, "\n".join([*lines, "", f"in {shelf.root}"]))


def _session_lines(entry: SessionOverview, width: int) -> Iterator[str]:
    yield (
        f"{entry.name:<{width}}  {date_time(entry.unix_time)}  {entry.host}  {entry.shown_state:<11}  "
        f"{entry.measured} of {count(entry.runs, 'run')} measured"
        + (f", {entry.failed} failed" if entry.failed else "")
    )
    if entry.trained:
        yield f"    {entry.trained}"
    if entry.headline:
        yield f"    {entry.headline}"
    if entry.reason and entry.reason not in (entry.headline or ""):
        yield f"    interrupted: {entry.reason}"
