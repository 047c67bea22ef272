"""Measuring: a session that a command has planned, from its start to its results, its report and a notice."""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .arguments import add_ascii, add_sessions_dir
from .context import Context, UsageError, on_terminal, read_recorded

if TYPE_CHECKING:
    from ...engine.conductor.devices_in_use import Beside, Placed
    from ...engine.host.facts import Host
    from ...engine.record.session_folder import SessionFolder
    from ..data.start_sessions import NewSession
    from .notice import Notice


class Wishes(NamedTuple):
    """Options of all commands that measure."""

    name: str | None
    """Name of the session; None for that of its preset."""
    output: Path | None
    """File of the report; None for none."""
    beside: Beside
    headless: bool
    notice: Notice | None
    """Command to call at the end; None for none."""


def add_measuring_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of all commands that measure: `--name`, `--output`, `--wait` and so on."""
    parser.add_argument("--name", help="name of the session (default: the preset's)")
    parser.add_argument(
        *("-o", "--output"),
        type=Path,
        metavar="FILE",
        help="write the report to a file: .md, .json, .csv, .svg or .txt",
    )
    in_use = parser.add_mutually_exclusive_group()
    in_use.add_argument(
        "--wait", action="store_true", help="while another session uses the devices, wait for its end"
    )
    in_use.add_argument(
        "--anyway", action="store_true", help="measure although another session uses the devices"
    )
    parser.add_argument("--headless", action="store_true", help="print progress lines even on a terminal")
    parser.add_argument(
        "--notify",
        metavar="COMMAND",
        help="at the end, start this command with the session's name, outcome and headline",
    )
    add_sessions_dir(parser)
    add_ascii(parser)
    parser.set_defaults(measures=True)


def take_wishes(options: dict[str, Any]) -> Wishes:
    """Take these options out of a command's, and check them before anything starts. Raises UsageError."""
    del options["measures"]
    from ...engine.record.shelf import problem_with_stem
    from . import report_file
    from .notice import Notice

    name, output, notify = options.pop("name"), options.pop("output"), options.pop("notify")
    if name is not None and (problem := problem_with_stem(name)):
        raise UsageError(f"--name: {problem}")
    if output is not None:
        report_file.check_writable(output)
    waits, anyway = options.pop("wait"), options.pop("anyway")
    return Wishes(
        name,
        output,
        "wait" if waits else "anyway" if anyway else "refuse",
        options.pop("headless"),
        None if notify is None else Notice.of(notify),
    )


def measure(context: Context, new: NewSession, host: Host, wishes: Wishes) -> int:
    """Measure a session that is planned and print its results; return the exit status. Raises UsageError."""
    from .interrupts import held_interrupts
    from .progress import follow

    with held_interrupts() as interrupts:
        placed = _place(context, new, host, wishes.beside)
        if interrupts:
            placed.abandon()
            raise KeyboardInterrupt
        folder = placed.folders[0]
        try:
            if wishes.headless or not on_terminal():
                return follow(folder, lambda _: placed.start())
            return _run_in_monitor(context, placed, interrupts)
        finally:  # also if the reader of the results left, as `head` does
            if wishes.output is not None:
                _keep_report(folder, wishes.output)
            if wishes.notice is not None:
                wishes.notice.give(folder)


def _run_in_monitor(context: Context, placed: Placed, interrupts: list[int]) -> int:
    """Start the session and open its monitor; an interrupt before that stops the session."""
    from .interrupts import stop_started
    from .progress import print_results

    folder = placed.folders[0]
    gc.disable()  # the app enables it with its first paint
    process = placed.start()
    from .. import app  # noqa: F401 (it takes a while, in which interrupts are still held)

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


def _place(context: Context, new: NewSession, host: Host, beside: Beside) -> Placed:
    """Warn about what the plan lacks, and create the session unless its devices are in use."""
    from ...engine.conductor.devices_in_use import DevicesInUseError, place_sessions
    from ...engine.host.shortage import shortage
    from ...engine.plan.needs import needs

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
    from . import report_file

    try:
        report_file.write_report(folder, output)
    except UsageError as error:  # the exit status stays that of the session
        print(f"gpubench-tui: {error}", file=sys.stderr)
