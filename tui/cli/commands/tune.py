"""The `tune` command: one remedy after the other on a run of a preset, until none helps any more."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, get_args

from ....engine.record.exit_status import MEASURED
from ..arguments import add_plan_options, add_preset, number_above_zero
from ..context import Context, UsageError
from ..measuring import Wishes, add_measuring_options, measure
from ..planning import plan_named

if TYPE_CHECKING:
    from ....engine.host.facts import Host
    from ....engine.plan.preset.preset import Mode
    from ....engine.plan.remedy import Cost, Tune
    from ...data.start_sessions import NewSession
    from ..arguments import Subparsers

NOTHING = "nothing"
"""Value of `--allow` that allows no cost."""
MODES = ("single", "dp", "ddp", "fsdp")


def add_tune_command(subparsers: Subparsers) -> None:
    """Declare `tune`."""
    parser = subparsers.add_parser(
        "tune", help="try one remedy after the other on a preset's run, and keep those that help"
    )
    add_preset(parser)
    parser.add_argument(
        "--minutes",
        type=number_above_zero,
        metavar="N",
        help="take about so many minutes, with the last measurement of all that was kept (default: go on "
        "until nothing helps any more)",
    )
    parser.add_argument(
        "--allow",
        type=_costs,
        metavar="COSTS",
        help=f"what a change may cost: numerics,recipe,memory, any of them, or {NOTHING} (default: memory, "
        "which changes nothing that is learnt)",
    )
    parser.add_argument(
        "--run",
        metavar="RUN",
        help="id or label of the run to tune, or the beginning of it (default: of those on most devices one "
        "of ddp, else the last)",
    )
    parser.add_argument("--mode", choices=MODES, help="tune a run of this mode")
    parser.add_argument(
        "--resume", metavar="SESSION", help="instead of a preset: go on with a tune that was stopped"
    )
    add_plan_options(parser, vary=False)
    add_measuring_options(parser)
    parser.set_defaults(command=tune)


def tune(  # noqa: PLR0913 (one for each option)
    context: Context,
    *,
    preset: str | None,
    minutes: float | None,
    allow: tuple[Cost, ...] | None,
    run: str | None,
    mode: Mode | None,
    resume: str | None,
    wishes: Wishes,
) -> int:
    """Tune a run of a preset, or go on with a tune, and print the results; return the exit status.

    Raises UsageError.
    """
    from ....engine.conductor.resume import NothingLackingError
    from ....engine.plan.remedy import ALLOWED_BY_DEFAULT, Tune

    if resume is None:
        bounds = Tune(allow=ALLOWED_BY_DEFAULT if allow is None else allow, minutes=minutes)
        return measure(context, *_planned(context, preset, bounds, run, mode, wishes.name), wishes)
    if (
        preset is not None
        or context.overrides
        or context.gpus is not None
        or allow is not None
        or run
        or mode
    ):
        raise UsageError(
            "--resume goes on with a tune as it was begun: leave out PRESET, --set, --gpus, --allow, --run "
            "and --mode"
        )
    try:
        resumed = _resumed(context, resume, minutes, wishes.name)
    except NothingLackingError as nothing:
        print(f"gpubench-tui: nothing to tune: {nothing}", file=sys.stderr)
        return MEASURED
    return measure(context, *resumed, wishes)


def _planned(
    context: Context, preset: str | None, bounds: Tune, run: str | None, mode: Mode | None, name: str | None
) -> tuple[NewSession, Host]:
    """Plan the tune of a preset on this machine, and say which of its runs is tuned. Raises UsageError."""
    from ....engine.plan.tune_plan import NothingToTuneError, run_to_tune, tune_plan
    from ...data.start_sessions import NewSession, tune_name

    if preset is None:
        raise UsageError(
            "nothing to tune: name a PRESET, or --resume SESSION; gpubench-tui presets lists the presets"
        )
    planned, host, text = plan_named(context, preset)
    try:
        chosen = run_to_tune(planned, run, mode)
    except NothingToTuneError as error:
        raise UsageError(str(error)) from None
    plan = tune_plan(planned, chosen, bounds)
    others = len(planned.to_run) - 1
    why = "; --run and --mode choose another" if others and run is None and mode is None else ""
    print(f"tuning {plan.runs[0].label} of {plan.preset}{why}", file=sys.stderr)
    return NewSession(plan, lambda shelf: shelf.create(name or tune_name(plan), plan, host, text)), host


def _resumed(
    context: Context, session: str, minutes: float | None, name: str | None
) -> tuple[NewSession, Host]:
    """Plan what a tune goes on with, and say so. Raises UsageError or NothingLackingError."""
    from ....engine.conductor.resume import CannotResumeError, NothingLackingError, plan_resumption
    from ...data.start_sessions import NewSession

    folder = context.find_session(session)
    try:
        resumption = plan_resumption(folder, minutes)
    except NothingLackingError:
        raise
    except CannotResumeError as error:
        raise UsageError(str(error)) from None
    if resumption.plan.tune is None:
        raise UsageError(
            f"{folder.name} is not a tune: gpubench-tui run --resume {folder.name} goes on with it"
        )
    print(resumption.summary, file=sys.stderr)
    return NewSession(
        resumption.plan, lambda shelf: resumption.create(shelf, name or resumption.earlier.stem)
    ), resumption.host


def _costs(text: str) -> tuple[Cost, ...]:
    from ....engine.plan.remedy import Cost

    known: tuple[Cost, ...] = get_args(Cost)
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words == [NOTHING]:
        return ()
    unknown = next((word for word in words if word not in known), None if words else text)
    if unknown is not None:
        from ....engine.text.suggestions import nearest

        if unknown == NOTHING:
            raise argparse.ArgumentTypeError(f"{NOTHING} stands alone: leave it out, or all else")
        raise argparse.ArgumentTypeError(f"{unknown!r} is not a cost{nearest(unknown, (*known, NOTHING))}")
    return tuple(cost for cost in known if cost in words)
