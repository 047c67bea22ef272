"""The `run` command: one session, from its preset to its results and its report."""

from __future__ import annotations

import gc
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ....engine.record.exit_status import MEASURED
from ..arguments import add_ascii, add_plan_options, add_sessions_dir
from ..context import Context, UsageError, on_terminal, read_recorded

if TYPE_CHECKING:
    from ....engine.conductor.devices_in_use import Beside, Placed
    from ....engine.host.facts import Host
    from ....engine.record.session_folder import SessionFolder
    from ...data.start_sessions import NewSession
    from ..arguments import Subparsers


def add_run_command(subparsers: Subparsers) -> None:
    """Declare `run`."""
    parser = subparsers.add_parser(
        "run", help="run one session; live monitor on a terminal, progress lines otherwise"
    )
    parser.add_argument(
        *("preset",), metavar="PRESET", nargs="?", help="a preset's name, a unique prefix of it, or a path"
    )
    parser.add_argument(
        "--resume",
        metavar="SESSION",
        help="instead of a preset: take over what a session measured that did not end, and measure the rest",
    )
    add_plan_options(parser)
    parser.add_argument("--name", help="name of the session (default: the preset's)")
    parser.add_argument(
        *("-o", "--output"),
        type=Path,
        metavar="FILE",
        help="write the report to a file: .md, .json, .csv or .svg",
    )
    in_use = parser.add_mutually_exclusive_group()
    in_use.add_argument(
        "--wait", action="store_true", help="while another session uses the devices, wait for its end"
    )
    in_use.add_argument(
        "--anyway", action="store_true", help="measure although another session uses the devices"
    )
    parser.add_argument("--headless", action="store_true", help="print progress lines even on a terminal")
    add_sessions_dir(parser)
    add_ascii(parser)
    parser.set_defaults(command=run_preset)


def run_preset(  # noqa: PLR0913 (one for each option)
    context: Context,
    *,
    preset: str | None = None,
    resume: str | None = None,
    name: str | None,
    output: Path | None,
    wait: bool = False,
    anyway: bool = False,
    headless: bool,
) -> int:
    """Run a preset, or the rest of a session, and print the results; return the exit status.

    Raises UsageError.
    """
    from ....engine.conductor.resume import NothingLackingError
    from ....engine.record.shelf import problem_with_stem
    from .. import report_file
    from ..interrupts import held_interrupts
    from ..progress import follow

    if name is not None and (problem := problem_with_stem(name)):
        raise UsageError(f"--name: {problem}")
    if output is not None:
        report_file.check_writable(output)
    try:
        planned = (
            _planned(context, preset, name) if resume is None else _resumed(context, resume, preset, name)
        )
    except NothingLackingError as nothing:
        print(f"gpubench-tui: nothing to measure: {nothing}", file=sys.stderr)
        return MEASURED
    with held_interrupts() as interrupts:
        placed = _place(context, *planned, "wait" if wait else "anyway" if anyway else "refuse")
        if interrupts:
            placed.abandon()
            raise KeyboardInterrupt
        folder = placed.folders[0]
        try:
            if headless or not on_terminal():
                return follow(folder, lambda _: placed.start())
            return _run_in_monitor(context, placed, interrupts)
        finally:  # also if the reader of the results left, as `head` does
            if output is not None:
                _keep_report(folder, output)


def _run_in_monitor(context: Context, placed: Placed, interrupts: list[int]) -> int:
    """Start the session and open its monitor; an interrupt before that stops the session."""
    from ..interrupts import stop_started
    from ..progress import print_results

    folder = placed.folders[0]
    gc.disable()  # the app enables it with its first paint
    process = placed.start()
    from ... import app  # noqa: F401 (it takes a while, in which interrupts are still held)

    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if interrupts:
            raise KeyboardInterrupt
        status = context.open_monitor(folder)
    except KeyboardInterrupt:
        if not gc.isenabled():
            stop_started(folder, process)
        raise
    if not folder.goes_on():
        print_results(read_recorded(folder))
        print(f"\ngpubench-tui report {folder.name} prints the full report", file=sys.stderr)
    return status


def _planned(context: Context, preset_name: str | None, name: str | None) -> tuple[NewSession, Host]:
    """Plan the preset for this machine. Raises UsageError."""
    from ....engine.plan.expand import make_plan
    from ....engine.plan.preset.errors import PresetError
    from ....engine.plan.preset.library import find_preset
    from ....engine.plan.preset.overrides import of_override
    from ....engine.plan.preset.write import write_preset
    from ....engine.record.paces import read_paces, with_paces
    from ...data.start_sessions import NewSession

    if preset_name is None:
        raise UsageError("run what? a PRESET, or --resume SESSION; gpubench-tui presets lists the presets")
    try:
        preset_file = find_preset(preset_name)
        preset = preset_file.read(context.overrides)
        host = context.inspect_host()
        plan = make_plan(preset_file.name, preset, host, preset_file.changes(context.overrides))
        plan = with_paces(plan, host, read_paces(context.shelf().root))
    except PresetError as error:
        raise UsageError(str(of_override(error, context.overrides))) from None
    if preset_file.instead_of:
        print(f"warning: {preset_file.stands_in}", file=sys.stderr)
    return NewSession(plan, lambda shelf: shelf.create(name, plan, host, write_preset(preset))), host


def _resumed(context: Context, session: str, preset: str | None, name: str | None) -> tuple[NewSession, Host]:
    """Plan what a session lacks, and say so. Raises UsageError or NothingLackingError."""
    from ....engine.conductor.resume import CannotResumeError, NothingLackingError, plan_resumption
    from ...data.start_sessions import NewSession

    if preset is not None or context.overrides or context.gpus is not None:
        raise UsageError(
            "--resume measures what is left of a session's own plan: leave out PRESET, --set, --vary "
            "and --gpus"
        )
    try:
        resumption = plan_resumption(context.find_session(session))
    except NothingLackingError:
        raise
    except CannotResumeError as error:
        raise UsageError(str(error)) from None
    print(resumption.summary, file=sys.stderr)
    return NewSession(
        resumption.plan, lambda shelf: resumption.create(shelf, name or resumption.earlier.stem)
    ), resumption.host


def _place(context: Context, new: NewSession, host: Host, beside: Beside) -> Placed:
    """Warn about what the plan lacks, and create the session unless its devices are in use."""
    from ....engine.conductor.devices_in_use import DevicesInUseError, place_sessions
    from ....engine.host.shortage import shortage
    from ....engine.plan.needs import needs

    for need in needs(new.plan, host):
        if need.level != "info":
            print(f"{need.level}: {need.text} ({need.remedy})", file=sys.stderr)
    try:
        shelf = context.shelf()
        placed = place_sessions(shelf, [new.plan], [lambda: new.create(shelf)], beside)
    except DevicesInUseError as error:
        first = error.others[0].name
        raise UsageError(
            f"{error}; --wait starts when it has ended, --anyway starts at once, and "
            f"gpubench-tui stop {first} stops it"
        ) from None
    except OSError as error:
        raise UsageError(f"the session's folder cannot be created: {shortage(error)}") from None
    for other in placed.beside:
        print(f"warning: {other.name} is running: each distorts the other's results", file=sys.stderr)
    if placed.after:
        names = ", ".join(other.name for other in placed.after)
        print(f"waiting for {names}; Ctrl+C gives up", file=sys.stderr, flush=True)
    return placed


def _keep_report(folder: SessionFolder, output: Path) -> None:
    from .. import report_file

    try:
        report_file.write_report(folder, output)
    except UsageError as error:  # the exit status stays that of the session
        print(f"gpubench-tui: {error}", file=sys.stderr)
