"""The `gpubench-tui` command: what it accepts, and which part of the program does it."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.record.exit_status import BAD_USAGE, MEASURED, STOPPED
from . import commands
from .options import UsageError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 measured, 1 a run failed, 2 bad usage, 130 stopped."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["__complete"]:  # asked by the scripts of completion.py
        return commands.complete(_parser(), words[1:])
    # Most start the app, and to say what all the commands take would hold up its first paint.
    parser = _parser(with_commands=bool(words))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII locale has no plus-minus sign
    try:
        commands.check_command(parser, words[:1])
        options = parser.parse_args(words)
        commands.settle(options)
        status: int = options.command(options)
    except UsageError as error:
        print(f"gpubench-tui: {error}", file=sys.stderr)
        return BAD_USAGE
    except BrokenPipeError:
        # The reader of a pipe left, as `head` does; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return MEASURED
    except OSError as error:  # a folder that may not be read, a disk that is full
        print(f"gpubench-tui: {error}", file=sys.stderr)
        return BAD_USAGE
    except KeyboardInterrupt:
        return STOPPED
    return status


class _Version(argparse.Action):
    """Looks the version up when asked: what that imports would delay the app's first paint."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"gpubench-tui {version('gpubench-tui')}")
        parser.exit()


def _parser(with_commands: bool = True) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gpubench-tui",
        description="Measure how fast training runs on one GPU, with DataParallel and with "
        "DistributedDataParallel. Without a command: the app, to pick a preset by keyboard.",
        epilog="Exit status: 0 all runs measured, or skipped by rule; 1 a run failed; 2 bad usage or preset; "
        "130 stopped by the user.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say which version this is")
    _add_places(parser)
    _add_ascii(parser)
    _add_plan_options(parser, "early_overrides")
    parser.set_defaults(command=commands.app)
    if not with_commands:
        return parser
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_run(subparsers)
    _add_listings(subparsers)
    _add_session_commands(subparsers)
    _add_delete(subparsers)
    _add_compare(subparsers)
    _add_settings(subparsers)
    return parser


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sessions-dir",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="where sessions are kept (default: the platform's state folder)",
    )


def _add_ascii(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ascii",
        action="store_true",
        default=argparse.SUPPRESS,
        help="draw with plain ASCII (default: where the locale has no UTF-8)",
    )


def _add_plan_options(parser: argparse.ArgumentParser, overrides: str = "overrides") -> None:
    """`--set` and `--gpus`; before a command and after it, `--set` goes into a list of its own."""
    parser.add_argument(
        "--set",
        dest=overrides,
        action="append",
        metavar="KEY=VALUE",
        default=[],
        help="override any key of the preset, as in --set workload.batch=64; repeatable",
    )
    parser.add_argument(
        "--gpus",
        type=_gpu_list,
        metavar="0,2",
        default=argparse.SUPPRESS,
        help="use only these GPUs, by their index in nvidia-smi",
    )


def _gpu_list(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of GPU indices, as in 0,2") from None


def _add_run(subparsers: Subparsers) -> None:
    run = subparsers.add_parser("run", help="one session; live on a terminal, progress lines otherwise")
    run.add_argument("preset", metavar="PRESET", help="a preset's name, a unique prefix of it, or a path")
    _add_plan_options(run)
    run.add_argument("--name", help="name of the session (default: the preset's)")
    run.add_argument(
        "--output", type=Path, metavar="FILE", help="write the report there: .md, .json, .csv or .svg"
    )
    run.add_argument("--headless", action="store_true", help="progress lines even on a terminal")
    _add_places(run)
    _add_ascii(run)
    run.set_defaults(command=commands.run)


def _add_listings(subparsers: Subparsers) -> None:
    listings = (
        ("presets", commands.presets, "what can be run here, and what would be skipped, and why"),
        ("doctor", commands.doctor, "hardware, links, versions; what will limit a benchmark here"),
        ("sessions", commands.sessions, "past sessions, newest first"),
    )
    for name, command, text in listings:
        listing = subparsers.add_parser(name, help=text)
        listing.add_argument("--json", action="store_true", help="as JSON on standard output")
        if name == "presets":
            _add_plan_options(listing)
        if name == "sessions":
            listing.add_argument(
                "--find", metavar="TEXT", default="", help="only those whose line has all these words"
            )
        _add_places(listing)
        listing.set_defaults(command=command)


def _add_session_commands(subparsers: Subparsers) -> None:
    from . import sessions as session_commands

    attach = subparsers.add_parser("attach", help="the live monitor on a running session")
    attach.set_defaults(command=session_commands.attach)
    replay = subparsers.add_parser("replay", help="the monitor over a recorded session")
    replay.add_argument(
        "--speed", type=_speed, default=1.0, metavar="N", help="times as fast as it was (default: 1)"
    )
    replay.set_defaults(command=session_commands.replay)
    stop = subparsers.add_parser("stop", help="stop a running session; what was measured is kept")
    stop.set_defaults(command=session_commands.stop)
    report = subparsers.add_parser("report", help="a session's results on standard output")
    report.add_argument(
        "--format",
        choices=("md", "json", "csv", "svg"),
        help="svg: charts fit for a README (default: what FILE ends in, or md)",
    )
    report.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to a file instead")
    report.set_defaults(command=session_commands.report)
    rename = subparsers.add_parser("rename", help="give a session another name")
    rename.set_defaults(command=session_commands.rename)
    newest = {
        "attach": " (default: the newest that runs)",
        "stop": " (default: the newest that runs)",
        "report": " (default: the newest)",
    }
    for name, parser in (
        ("attach", attach),
        ("replay", replay),
        ("stop", stop),
        ("report", report),
        ("rename", rename),
    ):
        parser.add_argument(
            "session",
            metavar="SESSION",
            nargs="?" if name in newest else None,
            help="its name, a unique prefix of it, or a path" + newest.get(name, ""),
        )
        _add_places(parser)
    for parser in (attach, replay):
        _add_ascii(parser)
    rename.add_argument("name", metavar="NAME", help="its new name")


def _add_delete(subparsers: Subparsers) -> None:
    from . import sessions as session_commands

    delete = subparsers.add_parser("delete", help="remove sessions with everything recorded of them")
    delete.add_argument(
        "sessions", metavar="SESSION", nargs="+", help="its name, a unique prefix of it, or a path"
    )
    delete.add_argument("--yes", action="store_true", help="do not ask")
    _add_places(delete)
    delete.set_defaults(command=session_commands.delete)


def _add_compare(subparsers: Subparsers) -> None:
    from . import sessions as session_commands

    compare = subparsers.add_parser(
        "compare",
        help="sessions against the first of them, run by run: better, worse or no difference",
        epilog="Exit status: 0; 1 with --fail-on-regression where a run became worse; 2 bad usage.",
    )
    compare.add_argument("a", metavar="A", help="a session's name, a unique prefix of it, or a path")
    compare.add_argument("others", metavar="B", nargs="+", help="the sessions to hold against it")
    compare.add_argument("--format", choices=("text", "md", "json"), default="text")
    compare.add_argument(
        "--fail-on-regression",
        type=_percent,
        metavar="P",
        help="exit with 1 where a run is worse by more than P percent and its interval agrees, or was "
        "measured in A and has no figures in B",
    )
    _add_places(compare)
    compare.set_defaults(command=session_commands.compare)


def _add_settings(subparsers: Subparsers) -> None:
    config = subparsers.add_parser("config", help="your settings, all keys, and the file that changes them")
    config.set_defaults(command=commands.config)
    shells = subparsers.add_parser(
        "completion",
        help="a script that lets your shell complete commands, presets and sessions",
        epilog='Where it goes: in ~/.bashrc, eval "$(gpubench-tui completion bash)"; in ~/.zshrc, after '
        'compinit, eval "$(gpubench-tui completion zsh)"; in ~/.config/fish/config.fish, '
        "gpubench-tui completion fish | source.",
    )
    shells.add_argument("shell", choices=("bash", "zsh", "fish"))
    shells.set_defaults(command=commands.completion)


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent < 100:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no percentage: expected a number from 0 to 100, as in 3"
        )
    return percent


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no speed: expected a number above 0, as in 10")
    return speed
