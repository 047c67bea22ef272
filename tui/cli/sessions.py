"""What is done with sessions of the shelf, running and past: what these commands do."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace

from ...engine.record.exit_status import MEASURED, RUN_FAILED
from . import options as asked
from . import report_file
from .options import UsageError


def attach(options: Namespace) -> int:
    """The monitor, or progress lines, on a session that runs."""
    folder = asked.running(options)
    if asked.on_terminal():
        return asked.watch(options, folder)
    from .progress import follow

    return follow(folder)


def replay(options: Namespace) -> int:
    """The monitor over a journal, event by event in its own time."""
    folder = asked.find(options)
    asked.need_terminal(f"gpubench-tui report {folder.name} prints its results")
    return asked.watch(options, folder, options.speed)


def stop(options: Namespace) -> int:
    """Stop a session and wait until it is gone."""
    from ...engine.conductor.control import stop_session
    from .progress import wait_until_gone

    folder = asked.running(options)
    if not stop_session(folder):
        raise UsageError(f"{folder.name} does not run on this machine")
    wait_until_gone(folder)
    print(f"stopped {folder.name}", file=sys.stderr)
    return 0


def report(options: Namespace) -> int:
    """A session's results in one of the formats."""
    from ...engine.analysis.analysis import analyse
    from ...engine.analysis.export import render

    folder = asked.find(options)
    form = options.format or ("md" if options.output is None else report_file.format_of(options.output))
    text = render(analyse(asked.read(folder)), form)
    if options.output is None:
        sys.stdout.write(text)
    else:
        report_file.write(options.output, text)
        print(f"written to {options.output.resolve()}", file=sys.stderr)
    return 0


def compare(options: Namespace) -> int:
    """Sessions side by side; whether any is worse than the first is told by the exit status if asked for."""
    from ...engine.analysis.sessions.compare import compare_all
    from ...engine.analysis.sessions.comparison_report import render_comparison

    base, *others = (asked.find(options, name) for name in (options.a, *options.others))
    comparison = compare_all(asked.read(base), [asked.read(other) for other in others])
    if not comparison.rows:
        names = " and ".join(folder.name for folder in (base, *others))
        raise UsageError(f"{names} have no run in common, by mode, devices, workload and batch")
    width = shutil.get_terminal_size((100, 24)).columns
    sys.stdout.write(render_comparison(comparison, options.format, width))
    limit = options.fail_on_regression
    worse = [
        f"{change.label} in {session.b}"
        for session in comparison.sessions
        for change in session.changes
        if limit is not None and change.is_regression(limit)
    ]
    for label in worse:
        print(f"worse by more than {limit:g}%, or without figures: {label}", file=sys.stderr)
    return RUN_FAILED if worse else MEASURED


def rename(options: Namespace) -> int:
    """Give a session another name."""
    from ...engine.record.shelf import ShelfError

    folder = asked.find(options)
    try:
        renamed = asked.shelf(options).rename(folder, options.name)
    except ShelfError as error:
        raise UsageError(str(error)) from None
    print(f"{folder.name} is now {renamed.name}", file=sys.stderr)
    return 0


def delete(options: Namespace) -> int:
    """Remove sessions, having asked."""
    from ...engine.record.shelf import ShelfError

    found = (asked.find(options, name) for name in options.sessions)
    folders = {folder.name: folder for folder in found}
    names = ", ".join(folders)
    if not options.yes:
        if not asked.on_terminal():
            raise UsageError(f"without a terminal to ask on, --yes is what deletes {names}")
        print(f"Delete {names} with everything recorded? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
            print("nothing was deleted", file=sys.stderr)
            return 0
    try:
        for folder in folders.values():
            asked.shelf(options).delete(folder)
            print(f"deleted {folder.name}", file=sys.stderr)
    except ShelfError as error:
        raise UsageError(str(error)) from None
    return 0
