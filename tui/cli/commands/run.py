"""The `run` command: one session, from its preset to its results and its report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ....engine.record.exit_status import MEASURED
from ..arguments import add_plan_options, add_preset
from ..context import Context, UsageError
from ..measuring import Wishes, add_measuring_options, measure
from ..planning import plan_named

if TYPE_CHECKING:
    from ....engine.host.facts import Host
    from ...data.start_sessions import NewSession
    from ..arguments import Subparsers


def add_run_command(subparsers: Subparsers) -> None:
    """Declare `run`."""
    parser = subparsers.add_parser(
        "run", help="run one session; live monitor on a terminal, progress lines otherwise"
    )
    add_preset(parser)
    parser.add_argument(
        "--resume",
        metavar="SESSION",
        help="instead of a preset: take over what a session measured that did not end, and measure the rest",
    )
    add_plan_options(parser)
    add_measuring_options(parser)
    parser.set_defaults(command=run_preset)


def run_preset(context: Context, *, preset: str | None, resume: str | None, wishes: Wishes) -> int:
    """Run a preset, or the rest of a session, and print the results; return the exit status.

    Raises UsageError.
    """
    from ....engine.conductor.resume import NothingLackingError

    try:
        planned = (
            _planned(context, preset, wishes.name)
            if resume is None
            else _resumed(context, resume, preset, wishes.name)
        )
    except NothingLackingError as nothing:
        print(f"gpubench-tui: nothing to measure: {nothing}", file=sys.stderr)
        return MEASURED
    return measure(context, *planned, wishes)


def _planned(context: Context, preset: str | None, name: str | None) -> tuple[NewSession, Host]:
    """Plan the preset for this machine. Raises UsageError."""
    from ...data.start_sessions import NewSession

    if preset is None:
        raise UsageError(
            "nothing to run: name a PRESET, or --resume SESSION; gpubench-tui presets lists the presets"
        )
    plan, host, text = plan_named(context, preset)
    return NewSession(plan, lambda shelf: shelf.create(name, plan, host, text)), host


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
