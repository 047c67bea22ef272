"""The `compare` command: sessions side by side, and whether any became worse."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from ...engine.record.exit_status import MEASURED, RUN_FAILED
from .arguments import SESSION_HELP, add_sessions_dir
from .context import Context, UsageError, read_recorded

if TYPE_CHECKING:
    from ...engine.analysis.sessions.comparison_report import CompareFormat
    from .arguments import Subparsers


def add_compare_command(subparsers: Subparsers) -> None:
    """Declare `compare`."""
    parser = subparsers.add_parser(
        "compare",
        help="compare sessions with the first of them, run by run: better, worse or no difference",
        epilog="Exit status: 0; 1 with --fail-on-regression if a run became worse; 2 bad usage.",
    )
    parser.add_argument("a", metavar="A", help=SESSION_HELP)
    parser.add_argument("others", metavar="B", nargs="+", help="the sessions to compare with it")
    parser.add_argument(
        "--format", choices=("text", "md", "json"), default="text", help="output format (default: text)"
    )
    parser.add_argument(
        "--fail-on-regression",
        type=_percentage,
        metavar="P",
        help="exit with status 1 if a run is worse by more than P percent and its interval agrees, or was "
        "measured in A and has no results in B",
    )
    add_sessions_dir(parser)
    parser.set_defaults(command=print_comparison)


def print_comparison(
    context: Context,
    *,
    a: str,
    others: list[str],
    format: CompareFormat,  # noqa: A002
    fail_on_regression: float | None,
) -> int:
    """Print the sessions `others` compared with session `a`; return 1 for a regression beyond the limit.

    `fail_on_regression` is that limit in percent; with None no regression fails. Raises UsageError.
    """
    from ...engine.analysis.sessions.compare import compare_all
    from ...engine.analysis.sessions.comparison_report import render_comparison

    base, *compared = (context.find_session(name) for name in (a, *others))
    comparison = compare_all(read_recorded(base), [read_recorded(folder) for folder in compared])
    if not comparison.rows:
        names = " and ".join(folder.name for folder in (base, *compared))
        raise UsageError(f"{names} have no run in common: none agrees in mode, devices, workload and batch")
    width = shutil.get_terminal_size((100, 24)).columns
    sys.stdout.write(render_comparison(comparison, format, width))
    regressions = [
        f"{change.label} in {session.b}"
        for session in comparison.sessions
        for change in session.changes
        if fail_on_regression is not None and change.is_regression(fail_on_regression)
    ]
    for regression in regressions:
        print(
            f"worse by more than {fail_on_regression:g}%, or without results: {regression}", file=sys.stderr
        )
    return RUN_FAILED if regressions else MEASURED


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
