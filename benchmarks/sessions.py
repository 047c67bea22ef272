"""Run a session of a preset to its end, in a folder of its own, for the benchmarks."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from gpubench_tui.engine.conductor.start import start_session
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.preset.write import write_preset
from gpubench_tui.engine.record.events import Event
from gpubench_tui.engine.record.journal import read_journal
from gpubench_tui.engine.record.shelf import Shelf


def run_session(preset: str, overrides: Sequence[str] = ()) -> list[Event]:
    """Return all events of a session of a shipped preset, or of a preset given as text."""
    own = "\n" in preset
    read = read_preset(preset, "benchmark", overrides) if own else find_preset(preset).read(overrides)
    host = inspect_host()
    plan = make_plan("benchmark" if own else preset, read, host)
    with tempfile.TemporaryDirectory() as root:
        folder = Shelf(Path(root)).create(None, plan, host, write_preset(read))
        process = start_session(folder)
        if process.wait() != 0:
            raise SystemExit(f"the session failed: {folder.log.read_text()}")
        return list(read_journal(folder.journal))
