"""The `gpubench-tui` command: its arguments, and the dispatch to the module of each command."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...engine.record.exit_status import BAD_USAGE, MEASURED, STOPPED
from ...engine.text.files import is_folder
from ...engine.text.plain import cut_in_middle, plain_output
from ..config import problem_with_home, read_config
from .arguments import CommandParser, add_ascii, add_plan_options, add_sessions_dir
from .context import Context, UsageError, require_terminal
from .streams import discard_output, never_fail


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 measured, 1 a run failed, 2 bad usage, 130 stopped."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    never_fail()
    try:
        # Without a command the app opens: declaring all commands would delay its first paint.
        parser = _parser(with_commands=bool(words))
        if words[:1] == ["__complete"]:  # called by the scripts in completion.py
            from .completion import print_candidates

            return print_candidates(parser, words[1:])
        with plain_output():
            status = _execute(parser, words)
    except BrokenPipeError:  # the reader of a pipe left, as `head` does
        status = MEASURED
    except OSError:  # standard error takes nothing
        status = BAD_USAGE
    finally:
        discard_output()
    return status


def _execute(parser: argparse.ArgumentParser, words: Sequence[str]) -> int:
    """Carry out a command, and print an error that ends it as one sentence. Raises BrokenPipeError."""
    try:
        _check_command(parser, words)
        options = vars(parser.parse_args(words))
        command = options.pop("command")
        context = _context(options)
        if "measures" in options:
            from .measuring import take_wishes

            options["wishes"] = take_wishes(options)
        status: int = command(context, **options)
        sys.stdout.flush()  # a full disk may show only now
    except UsageError as error:
        print(f"gpubench-tui: {cut_in_middle(str(error))}", file=sys.stderr)
        return BAD_USAGE
    except BrokenPipeError:
        raise
    except OSError as error:  # an unreadable folder, a full disk
        from ...engine.host.shortage import shortage

        full = error.errno in (errno.ENOSPC, errno.EBADF, errno.EIO) and not error.filename
        text = f"the output cannot be written: {error.strerror}" if full else shortage(error)
        print(f"gpubench-tui: {cut_in_middle(text)}", file=sys.stderr)
        return BAD_USAGE
    except KeyboardInterrupt:
        print("gpubench-tui: interrupted", file=sys.stderr)
        return STOPPED
    return status


class _Version(argparse.Action):
    """Looks the version up on demand: the import would delay the app's first paint."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"gpubench-tui {version('gpubench-tui')}")
        parser.exit()


def _parser(with_commands: bool = True) -> argparse.ArgumentParser:
    """Return the parser; each command sets `command` to the function that takes its other arguments."""
    parser = argparse.ArgumentParser(
        prog="gpubench-tui",
        description="Measure how fast training runs on one GPU, with DataParallel, DistributedDataParallel "
        "and FSDP. Without a command, the app opens: choose a preset with the keyboard.",
        epilog="Exit status: 0 all runs measured, or skipped by rule; 1 a run failed; 2 bad usage or preset; "
        "130 stopped by the user.",
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="print the version"
    )
    add_sessions_dir(parser)
    add_ascii(parser)
    add_plan_options(parser, "early_overrides")
    parser.set_defaults(command=_open_app)
    if not with_commands:
        return parser
    from .commands.compare import add_compare_command
    from .commands.completion_scripts import add_completion_command
    from .commands.delete import add_delete_command
    from .commands.init import add_init_command
    from .commands.listings import add_listing_commands
    from .commands.project import add_project_command
    from .commands.run import add_run_command
    from .commands.sessions import add_session_commands
    from .commands.settings import add_config_command
    from .commands.trend import add_trend_command
    from .commands.try_remedy import add_try_command
    from .commands.tune import add_tune_command

    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=CommandParser)
    add_run_command(subparsers)
    add_try_command(subparsers)
    add_tune_command(subparsers)
    add_init_command(subparsers)
    add_listing_commands(subparsers)
    add_session_commands(subparsers)
    add_delete_command(subparsers)
    add_compare_command(subparsers)
    add_trend_command(subparsers)
    add_project_command(subparsers)
    add_config_command(subparsers)
    add_completion_command(subparsers)
    for listed in subparsers._choices_actions:  # each command's help begins with its line in the list
        text = listed.help or ""
        subparsers.choices[listed.dest].description = f"{text[:1].upper()}{text[1:]}."
    return parser


def _context(options: dict[str, Any]) -> Context:
    """Take the arguments that belong to the context out of `options`; the config file fills the gaps."""
    if problem := problem_with_home():
        raise UsageError(problem)
    config = read_config()
    for problem in config.problems:
        print(f"gpubench-tui: {cut_in_middle(problem)}", file=sys.stderr)
    must_exist = options.pop("needs_sessions_dir", False) and "sessions_dir" in options
    sessions_dir: Path | None = options.pop("sessions_dir", config.sessions_dir)
    if must_exist and not os.path.lexists(sessions_dir or ""):
        raise UsageError(f"--sessions-dir {sessions_dir}: there is no such folder")
    if sessions_dir is not None and os.path.lexists(sessions_dir) and not is_folder(sessions_dir):
        raise UsageError(f"{sessions_dir} is not a folder: expected that of the sessions, --sessions-dir DIR")
    return Context(
        config=config._replace(ascii=options.pop("ascii", config.ascii)),
        sessions_dir=sessions_dir,
        gpus=options.pop("gpus", None),
        overrides=(*options.pop("early_overrides"), *options.pop("overrides", ())),
    )


def _open_app(context: Context) -> int:
    """Open the app on its launch screen. Raises UsageError."""
    require_terminal("gpubench-tui run PRESET --headless measures without one")
    context.check_overrides()
    gc.disable()  # until the first paint: nearly everything allocated before it stays
    from ..app import open_launch_screen
    from ..data.launch_feed import LaunchOptions

    return open_launch_screen(
        context.sessions_dir, LaunchOptions(context.gpus, context.overrides), context.config
    )


def _check_command(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Refuse a word in the place of the command that is not one, with a suggestion. Raises UsageError."""
    if not words:
        return
    from .completion import candidates, command_word

    word = command_word(parser, words)
    commands = [candidate.word for candidate in candidates(parser, [""])]
    if word is None or word in commands:
        return
    from ...engine.plan.preset.errors import PresetError
    from ...engine.plan.preset.library import find_preset
    from ...engine.text.suggestions import nearest

    try:
        find_preset(word)
    except PresetError:
        raise UsageError(f"{word!r} is not a command{nearest(word, commands)}") from None
    raise UsageError(f"{word!r} is not a command; did you mean gpubench-tui run {word}?")
