"""The `run` command: one session, from its preset to its results and its report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import add_ascii, add_plan_options, add_sessions_dir
from .context import Context, UsageError, on_terminal, read_recorded

if TYPE_CHECKING:
    from ...engine.record.shelf import SessionFolder
    from .arguments import Subparsers


def add_run_command(subparsers: Subparsers) -> None:
    """Declare `run`."""
    parser = subparsers.add_parser(
        "run", help="run one session; live monitor on a terminal, progress lines otherwise"
    )
    parser.add_argument("preset", metavar="PRESET", help="a preset's name, a unique prefix of it, or a path")
    add_plan_options(parser)
    parser.add_argument("--name", help="name of the session (default: the preset's)")
    parser.add_argument(
        *("-o", "--output"),
        type=Path,
        metavar="FILE",
        help="write the report to a file: .md, .json, .csv or .svg",
    )
    parser.add_argument("--headless", action="store_true", help="print progress lines even on a terminal")
    add_sessions_dir(parser)
    add_ascii(parser)
    parser.set_defaults(command=run_preset)


def run_preset(
    context: Context, *, preset: str, name: str | None, output: Path | None, headless: bool
) -> int:
    """Run a preset as a session and print its results; return the exit status. Raises UsageError."""
    from ...engine.conductor.start import start_session
    from . import report_file
    from .progress import follow, print_results

    if output is not None:
        report_file.check_writable(output)
    folder = _create_session(context, preset, name)
    try:
        if headless or not on_terminal():
            return follow(folder, start_session)
        start_session(folder)
        status = context.open_monitor(folder)
        if not folder.goes_on():
            print_results(read_recorded(folder))
            print(f"\ngpubench-tui report {folder.name} prints the full report", file=sys.stderr)
        return status
    finally:  # also if the reader of the results left, as `head` does
        if output is not None:
            _keep_report(folder, output)


def _create_session(context: Context, preset_name: str, name: str | None) -> SessionFolder:
    """Plan the preset for this machine, warn about what the plan lacks, and create the session's folder."""
    from ...engine.plan.expand import make_plan
    from ...engine.plan.library import find_preset
    from ...engine.plan.needs import needs
    from ...engine.plan.read import PresetError, of_override
    from ...engine.plan.write import write_preset

    try:
        preset_file = find_preset(preset_name)
        preset = preset_file.read(context.overrides)
        host = context.inspect_host()
        plan = make_plan(preset_file.name, preset, host, preset_file.changes(context.overrides))
    except PresetError as error:
        raise UsageError(str(of_override(error, context.overrides))) from None
    if preset_file.instead_of:
        print(f"warning: {preset_file.stands_in}", file=sys.stderr)
    for need in needs(plan, host):
        if need.level != "info":
            print(f"{need.level}: {need.text} ({need.remedy})", file=sys.stderr)
    for other in context.running_sessions():
        print(f"warning: {other.name} is running: each distorts the other's results", file=sys.stderr)
    try:
        return context.shelf().create(name, plan, host, write_preset(preset))
    except OSError as error:
        raise UsageError(f"the session's folder cannot be created: {error}") from None


def _keep_report(folder: SessionFolder, output: Path) -> None:
    from . import report_file

    try:
        report_file.write_report(folder, output)
    except UsageError as error:  # the exit status stays that of the session
        print(f"gpubench-tui: {error}", file=sys.stderr)
