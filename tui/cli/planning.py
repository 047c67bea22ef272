"""Planning of a preset by its name, for the commands that measure it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from .context import Context, UsageError

if TYPE_CHECKING:
    from ...engine.host.facts import Host
    from ...engine.plan.plan import Plan


class Planned(NamedTuple):
    """A preset as planned for this machine."""

    plan: Plan
    host: Host
    text: str
    """Preset as TOML, with what was changed of it."""


def plan_named(context: Context, name: str) -> Planned:
    """Plan the preset of that name for this machine. Raises UsageError."""
    from ...engine.plan.expand import make_plan
    from ...engine.plan.preset.errors import PresetError
    from ...engine.plan.preset.library import find_preset
    from ...engine.plan.preset.overrides import of_override
    from ...engine.plan.preset.write import write_preset
    from ...engine.record.paces import read_paces, with_paces

    try:
        preset_file = find_preset(name)
        preset = preset_file.read(context.overrides)
        host = context.inspect_host()
        plan = make_plan(preset_file.name, preset, host, preset_file.changes(context.overrides))
        plan = with_paces(plan, host, read_paces(context.shelf().root))
    except PresetError as error:
        raise UsageError(str(of_override(error, context.overrides))) from None
    if preset_file.instead_of:
        print(f"warning: {preset_file.stands_in}", file=sys.stderr)
    return Planned(plan, host, write_preset(preset))
