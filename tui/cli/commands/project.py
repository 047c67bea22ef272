"""The `project` command: what more devices would give, from what a session measured."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from typing import TYPE_CHECKING

from ....engine.record.exit_status import MEASURED
from ..arguments import SESSION_HELP, add_format, add_sessions_dir
from ..context import Context, UsageError, read_recorded

if TYPE_CHECKING:
    from ....engine.analysis.projection.link_rate import LinkRate
    from ....engine.analysis.projection.projection import Projection
    from ....engine.analysis.report.projection import ProjectionFormat
    from ..arguments import Subparsers

MOST_DEVICES = 1 << 20
NUMBER = re.compile(r"\d{1,12}", re.ASCII)


def add_project_command(subparsers: Subparsers) -> None:
    """Declare `project`."""
    parser = subparsers.add_parser(
        "project",
        help="project a session's runs to more devices, such as 8, 64 or 1024",
        epilog="Nothing is projected beyond the links that were measured unless --link gives their rate, nor "
        "where the same method misses the largest measured run by more than 10%.",
    )
    parser.add_argument("session", metavar="SESSION", nargs="?", help=SESSION_HELP + " (default: the newest)")
    parser.add_argument(
        "--gpus",
        dest="counts",
        type=_counts,
        metavar="8,64",
        help="numbers of devices in all (default: 8, 64 and 1024, and all of the machine)",
    )
    parser.add_argument(
        "--link",
        type=_link,
        metavar="50GB/s,5us",
        help="rate of a machine's links to others in one direction, and latency of a message",
    )
    parser.add_argument(
        "--global-batch",
        type=_global_batch,
        metavar="N",
        help="samples of a step, kept by fewer passes on more devices (default: as many passes as measured)",
    )
    add_format(parser, "text", "md", "json")
    add_sessions_dir(parser)
    parser.set_defaults(command=print_projection)


def print_projection(
    context: Context,
    *,
    session: str | None,
    counts: tuple[int, ...] | None,
    link: LinkRate | None,
    global_batch: int | None,
    format: ProjectionFormat,  # noqa: A002
) -> int:
    """Print what is projected from a session. Raises UsageError where nothing is."""
    from ....engine.analysis.analysis import analyse
    from ....engine.analysis.projection.projection import projections
    from ....engine.analysis.report.projection import render_projection

    folder = context.find_session(session)
    found = projections(analyse(read_recorded(folder)).inquiry, counts, link, global_batch)
    if not any(projection.points for projection in found):
        raise UsageError(f"nothing can be projected from {folder.name}: {_reasons(found)}")
    width = shutil.get_terminal_size((100, 24)).columns
    sys.stdout.write(render_projection(folder.name, found, format, width))
    return MEASURED


def _reasons(found: tuple[Projection, ...]) -> str:
    """Return why nothing is projected, in one clause for each reason."""
    if not found:
        return "it has no measured run of ddp or fsdp on several devices"
    reasons = dict.fromkeys(reason for projection in found for reason in projection.refused)
    return "; ".join(reasons)


def _counts(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(NUMBER.fullmatch(part) and 1 < int(part) <= MOST_DEVICES for part in parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of numbers of devices from 2 to {MOST_DEVICES}, as in 64 or 8,64,1024"
        )
    return tuple(map(int, parts))


def _link(text: str) -> LinkRate:
    from ....engine.analysis.projection.link_rate import read_link_rate

    try:
        return read_link_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _global_batch(text: str) -> int:
    if not NUMBER.fullmatch(text) or not int(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a global batch: expected a number of samples, as in 4096"
        )
    return int(text)
