"""The commands on recorded and running sessions: attach, replay, stop, report, rename."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ....engine.record.exit_status import MEASURED
from ...replay_speed import REPLAY_SPEED
from .. import report_file
from ..arguments import SESSION_HELP, add_ascii, add_sessions_dir, number_above_zero
from ..context import Context, UsageError, on_terminal, read_recorded, require_terminal

if TYPE_CHECKING:
    from ..arguments import Subparsers


def add_session_commands(subparsers: Subparsers) -> None:
    """Declare `attach`, `replay`, `stop`, `report` and `rename`."""
    attach_parser = subparsers.add_parser("attach", help="open the live monitor on a running session")
    _add_session(attach_parser, " (default: the newest running one)")
    add_ascii(attach_parser)
    attach_parser.set_defaults(command=attach)

    replay_parser = subparsers.add_parser("replay", help="open the monitor on a recorded session")
    replay_parser.add_argument(
        "--speed",
        type=number_above_zero,
        default=REPLAY_SPEED,
        metavar="N",
        help=f"times real time (default: {REPLAY_SPEED:g})",
    )
    _add_session(replay_parser, " (default: the newest)")
    add_ascii(replay_parser)
    replay_parser.set_defaults(command=replay)

    stop_parser = subparsers.add_parser("stop", help="stop a running session; its measurements are kept")
    _add_session(stop_parser, " (default: the newest running one)")
    stop_parser.set_defaults(command=stop)

    report_parser = subparsers.add_parser("report", help="print a session's results")
    report_parser.add_argument(
        "--format",
        choices=("md", "json", "csv", "svg", "text", "line"),
        help="svg: charts for a README; text: the summary printed after run; line: one line for a message "
        "(default: by the ending of FILE, or md)",
    )
    report_parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write to a file instead, - for none"
    )
    _add_session(report_parser, " (default: the newest)")
    report_parser.set_defaults(command=report)

    rename_parser = subparsers.add_parser("rename", help="give a session another name")
    _add_session(rename_parser)
    rename_parser.add_argument("name", metavar="NAME", help="the session's new name")
    rename_parser.set_defaults(command=rename)


def _add_session(parser: argparse.ArgumentParser, default: str = "") -> None:
    """Add SESSION, which may be left out if `default` says which one it is then; and `--sessions-dir`."""
    parser.add_argument(
        "session", metavar="SESSION", nargs="?" if default else None, help=SESSION_HELP + default
    )
    add_sessions_dir(parser, must_exist=True)


def attach(context: Context, *, session: str | None) -> int:
    """Follow a running session in the monitor, or as progress lines without a terminal. Raises UsageError."""
    folder = context.find_running_session(session)
    if on_terminal():
        return context.open_monitor(folder)
    from ..progress import follow

    return follow(folder)


def replay(context: Context, *, session: str | None, speed: float) -> int:
    """Replay a journal in the monitor, `speed` times as fast as it was recorded. Raises UsageError."""
    folder = context.find_session(session, "replay")
    require_terminal(f"gpubench-tui report {folder.name} prints its results")
    return context.open_monitor(folder, speed)


def stop(context: Context, *, session: str | None) -> int:
    """Stop a running session and wait until its process has ended. Raises UsageError."""
    from ....engine.conductor.control import stop_session
    from ..interrupts import wait_until_ended

    folder = context.find_running_session(session)
    if not stop_session(folder):
        raise UsageError(
            f"{folder.name} cannot be stopped from here: no process of yours on this machine runs it"
        )
    wait_until_ended(folder)
    print(f"stopped {folder.name}", file=sys.stderr)
    return MEASURED


def report(
    context: Context,
    *,
    session: str | None,
    format: report_file.FileFormat | Literal["line"] | None,  # noqa: A002
    output: Path | None,
) -> int:
    """Print a session's results, or write them to a file. Raises UsageError."""
    from ....engine.analysis.analysis import analyse
    from ....engine.analysis.report.line import result_line
    from ....engine.analysis.sessions.trials import with_trials
    from ....engine.record.shelf import Shelf

    folder = context.find_session(session, "report")
    output = None if output == Path("-") else output
    chosen = format or ("md" if output is None else report_file.format_by_name(output))
    analysis = with_trials(analyse(read_recorded(folder)), Shelf(folder.path.parent))
    if chosen == "line":
        text = result_line(analysis) + "\n"
    else:
        columns = shutil.get_terminal_size((report_file.TEXT_WIDTH, 24)).columns
        width = columns if output is None else report_file.TEXT_WIDTH
        text = report_file.report_text(analysis, chosen, width)
    if output is None:
        sys.stdout.write(text)
    else:
        report_file.write(output, text)
        print(f"report written to {output.resolve()}", file=sys.stderr)
    return MEASURED


def rename(context: Context, *, session: str, name: str) -> int:
    """Give a session another name. Raises UsageError."""
    from ....engine.record.shelf import ShelfError

    folder = context.find_own_session(session)
    try:
        renamed = context.shelf().rename(folder, name)
    except ShelfError as error:
        raise UsageError(str(error)) from None
    print(f"{folder.name} is now {renamed.name}", file=sys.stderr)
    return MEASURED
