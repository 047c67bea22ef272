"""Arguments that several commands share, and the checks of their values."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING


class CommandParser(argparse.ArgumentParser):
    """Parser of a command, whose list of names may stand before, after and between its options."""

    _is_parsing = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the words of a command."""
        has_list = any(action.nargs in ("*", "+") for action in self._get_positional_actions())
        if not has_list or self._is_parsing:
            return super().parse_known_args(args, namespace)
        # By itself argparse takes an empty list before the first option to be all of it.
        self._is_parsing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_parsing = False


if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[CommandParser]

PRESET_HELP = "a preset's name, a unique prefix of it, or a path"
SESSION_HELP = "a session's name, a unique prefix of it, or a path"


def add_preset(parser: argparse.ArgumentParser) -> None:
    """Add PRESET, which may be left out."""
    parser.add_argument("preset", metavar="PRESET", nargs="?", help=PRESET_HELP)


def add_sessions_dir(parser: argparse.ArgumentParser, *, must_exist: bool = False) -> None:
    """Add `--sessions-dir`, valid before a command and after it.

    `must_exist`: the command only reads sessions, so that a folder which is not there is a mistake.
    """
    if must_exist:
        parser.set_defaults(needs_sessions_dir=True)
    parser.add_argument(
        "--sessions-dir",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="folder of all sessions (default: in the platform's state folder)",
    )


def add_ascii(parser: argparse.ArgumentParser) -> None:
    """Add `--ascii`, for commands that open the app."""
    parser.add_argument(
        "--ascii",
        action="store_true",
        default=argparse.SUPPRESS,
        help="draw with plain ASCII (default: only if the locale is not UTF-8)",
    )


def add_format(parser: argparse.ArgumentParser, *formats: str) -> None:
    """Add `--format`, of which `text` is the default, and `--json`, which is short for one of its values."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--format", choices=formats, default="text", help="output format (default: text)")
    group.add_argument(
        "--json", dest="format", action="store_const", const="json", help="the same as --format json"
    )


def add_plan_options(
    parser: argparse.ArgumentParser, overrides: str = "overrides", *, vary: bool = True
) -> None:
    """Add `--set`, `--vary` unless told otherwise, and `--gpus`.

    `overrides` names the list that the first two append to.
    """
    parser.add_argument(
        "--set",
        dest=overrides,
        action="append",
        metavar="KEY=VALUE",
        default=[],
        help="override any key of the preset, as in --set workload.batch=64; repeatable",
    )
    if vary:
        parser.add_argument(
            "--vary",
            dest=overrides,
            action="append",
            type=_varied,
            metavar="KEY=A,B",
            default=[],
            help="measure with each of these values of a key of the workload, and compare them, as in --vary "
            "precision=fp32,bf16; repeatable",
        )
    parser.add_argument(
        "--gpus",
        type=_gpu_indices,
        metavar="0-3,5",
        default=argparse.SUPPRESS,
        help="use only these GPUs, by their index in nvidia-smi",
    )


def number_above_zero(text: str) -> float:
    """Return the value of an argument that is a number above 0. Raises argparse.ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be used: expected a number above 0, as in 10")
    return number


def _varied(text: str) -> str:
    from ...engine.plan.preset.overrides import VARY

    return f"{VARY}{text}"


def _gpu_indices(text: str) -> tuple[int, ...]:
    indices: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?", part, re.ASCII)
        if found is None:
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of GPU indices, as in 0,2 or 0-3,5")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise argparse.ArgumentTypeError(f"{part.strip()!r} runs backwards; expected {last}-{first}")
        indices += range(first, last + 1)
    return tuple(indices)
