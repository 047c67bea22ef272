"""The `compare` command: sessions side by side, and whether any became worse."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from ....engine.record.exit_status import MEASURED, NOT_JUDGED, RUN_FAILED
from ..arguments import SESSION_HELP, add_format, add_sessions_dir
from ..context import Context, UsageError, read_recorded

if TYPE_CHECKING:
    from ....engine.analysis.sessions.compare import SessionsComparison
    from ....engine.analysis.sessions.comparison_report import CompareFormat
    from ..arguments import Subparsers


def add_compare_command(subparsers: Subparsers) -> None:
    """Declare `compare`."""
    parser = subparsers.add_parser(
        "compare",
        help="compare sessions with the first of them, run by run: better, worse or no difference",
        epilog="Exit status: 0; 1 with --fail-on-regression if a run became worse; 2 bad usage; 3 with "
        "--strict if a run could not be judged.",
    )
    parser.add_argument("a", metavar="A", help=SESSION_HELP)
    parser.add_argument("others", metavar="B", nargs="+", help="the sessions to compare with it")
    add_format(parser, "text", "md", "json")
    parser.add_argument(
        "--fail-on-regression",
        type=_percentage,
        metavar="P",
        help="exit with status 1 if a run is worse by more than P percent and its interval excludes "
        "chance, or was measured in A and has no results in B",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="with --fail-on-regression: exit with status 3 if a run could not be judged, as one measured on "
        "a busy machine, and none became worse",
    )
    add_sessions_dir(parser, must_exist=True)
    parser.set_defaults(command=print_comparison)


def print_comparison(
    context: Context,
    *,
    a: str,
    others: list[str],
    format: CompareFormat,  # noqa: A002
    fail_on_regression: float | None,
    strict: bool,
) -> int:
    """Print the sessions `others` compared with session `a`; return the exit status.

    `fail_on_regression` is the limit in percent beyond which a regression fails; with None none does. With
    `strict`, a run that cannot be judged does too. Raises UsageError.
    """
    from ....engine.analysis.sessions.compare import compare_all
    from ....engine.analysis.sessions.comparison_report import render_comparison
    from ....engine.analysis.sessions.noise import past_sessions

    if strict and fail_on_regression is None:
        raise UsageError("--strict needs --fail-on-regression, as in --fail-on-regression 5 --strict")
    folders = [context.find_session(name) for name in (a, *others)]
    sessions = [read_recorded(folder) for folder in folders]
    comparison = compare_all(sessions[0], sessions[1:], past_sessions(folders, sessions))
    if not comparison.rows:
        names = " and ".join(folder.name for folder in folders)
        raise UsageError(f"{names} have no run in common: none agrees in mode, devices, workload and batch")
    width = shutil.get_terminal_size((100, 24)).columns
    sys.stdout.write(render_comparison(comparison, format, width))
    return MEASURED if fail_on_regression is None else _judge(comparison, fail_on_regression, strict=strict)


def _judge(comparison: SessionsComparison, limit: float, *, strict: bool) -> int:
    """Say which runs became worse by more than `limit` percent and which cannot be judged; return the status.

    A run without results in one session is worse whatever else ran there.
    """
    from ....engine.analysis.sessions.comparison_report import letter, not_judged

    worse = unjudged = False
    for index, session in enumerate(comparison.sessions, 1):
        for change in session.changes:
            where = f"{change.label} in {session.b}"
            why = not_judged(change, letter(index)) if change.ratio is not None else ""
            if why:
                unjudged = True
                print(f"not judged: {why}: {where}", file=sys.stderr)
            elif change.is_regression(limit):
                worse = True
                print(f"worse by more than {limit:g}%, or without results: {where}", file=sys.stderr)
    return RUN_FAILED if worse else NOT_JUDGED if unjudged and strict else MEASURED


def _percentage(text: str) -> float:
    try:
        percentage = float(text.removesuffix("%"))
    except ValueError:
        percentage = -1.0
    if not 0 <= percentage < 100:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a percentage: expected a number from 0 to 100, as in 3"
        )
    return percentage
