"""The `delete` command: sessions by name, or all that match, after a question."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....engine.record.exit_status import MEASURED
from ....engine.text.grouping import first_names
from ..arguments import SESSION_HELP, add_sessions_dir
from ..context import Context, UsageError, on_terminal

if TYPE_CHECKING:
    from ....engine.record.session_folder import SessionFolder
    from ..arguments import Subparsers

UNIT_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
"""Seconds of the units of an age."""
MOST_NAMED = 10
"""Names in the question at most."""


def add_delete_command(subparsers: Subparsers) -> None:
    """Declare `delete`."""
    parser = subparsers.add_parser("delete", help="delete sessions with everything recorded")
    parser.add_argument("sessions", metavar="SESSION", nargs="*", help=SESSION_HELP)
    parser.add_argument(
        "--find", metavar="TEXT", help="all sessions that sessions --find TEXT lists, except running ones"
    )
    parser.add_argument(
        "--older-than",
        type=_age,
        metavar="AGE",
        help="all sessions that began longer ago: hours, days or weeks as in 12h, 30d, 8w; "
        "with --find, those of them",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_sessions_dir(parser, must_exist=True)
    parser.set_defaults(command=delete)


def delete(
    context: Context, *, sessions: list[str], find: str | None, older_than: float | None, yes: bool
) -> int:
    """Delete sessions, after confirmation. Raises UsageError."""
    from ....engine.record.shelf import ShelfError

    by_rule = find is not None or older_than is not None
    if by_rule == bool(sessions):
        raise UsageError("expected either names of sessions, or --find TEXT, --older-than AGE or both")
    if by_rule:
        folders = _matching(context, find or "", older_than)
        if not folders:
            print("no session matches; nothing was deleted", file=sys.stderr)
            return MEASURED
    else:
        found = (context.find_own_session(name) for name in sessions)
        folders = list({folder.name: folder for folder in found}.values())
    if not (yes or _confirmed(folders)):
        print("nothing was deleted", file=sys.stderr)
        return MEASURED
    try:
        for folder in folders:
            context.shelf().delete(folder)
            print(f"deleted {folder.name}", file=sys.stderr)
    except ShelfError as error:
        raise UsageError(str(error)) from None
    return MEASURED


def _matching(context: Context, text: str, older_than: float | None) -> list[SessionFolder]:
    """Return the sessions that are over, whose line has all words of the text, and that began before."""
    from ....engine.analysis.sessions.overview import OVER, ShelfOverview

    overview = ShelfOverview(context.shelf())
    latest = float("inf") if older_than is None else time.time() - older_than
    over = [entry for entry in overview.read() if entry.state in OVER and not entry.folder.goes_on()]
    began_before = [entry for entry in over if entry.unix_time < latest]
    # Only a search needs the headlines, which take long to compute.
    complete = [overview.complete(entry.name) or entry for entry in began_before] if text else began_before
    return [entry.folder for entry in complete if entry.matches(text)]


def _confirmed(folders: Sequence[SessionFolder]) -> bool:
    """Ask whether to delete the sessions. Raises UsageError where nobody can be asked."""
    names = first_names([folder.name for folder in folders], MOST_NAMED)
    if len(folders) > MOST_NAMED:
        names = f"{len(folders)} sessions ({names})"
    if not on_terminal():
        raise UsageError(f"there is no terminal to ask on; --yes deletes {names} without asking")
    print(f"Delete {names} with everything recorded? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _age(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)\s*([hdw])", text.strip(), re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an age: expected hours, days or weeks, as in 12h or 30d"
        )
    return float(found[1]) * UNIT_SECONDS[found[2]]
