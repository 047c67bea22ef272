"""The app, the settings, a session from its preset on, and the listings: what these commands do.

Results go to standard output, all else to standard error. Every command imports what it needs when it runs:
`--help` and the app's first paint wait for nothing else.
"""

from __future__ import annotations

import gc
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.record.exit_status import BAD_USAGE, MEASURED
from . import options as asked
from .options import UsageError

if TYPE_CHECKING:
    from ...engine.record.shelf import SessionFolder
    from .listings import Listing


def app(options: Namespace) -> int:
    """The app's launch screen."""
    asked.need_terminal("gpubench-tui run PRESET --headless measures without one")
    gc.disable()  # until the first paint is out: nearly all that is made before it stays
    from ..app import run_app
    from ..data.launch_feed import LaunchOptions

    chosen = LaunchOptions(getattr(options, "gpus", None), options.early_overrides)
    return run_app(options.sessions_dir, chosen, options.config)


def settle(options: Namespace) -> None:
    """Add what the user's config file says to what the command line does not."""
    from ..config import read_config

    config = read_config()
    for problem in config.problems:
        print(f"gpubench-tui: {problem}", file=sys.stderr)
    options.config = config._replace(ascii=True) if hasattr(options, "ascii") else config
    options.sessions_dir = getattr(options, "sessions_dir", config.sessions_dir)


def config(options: Namespace) -> int:
    """The user's settings and where they are kept, as a file that could be kept there."""
    from ...engine.record.shelf import default_root
    from ..app import GpubenchApp
    from ..config import config_path
    from ..keymap import checked, config_text, declared

    known = declared(GpubenchApp)
    keys, problems = checked(options.config.keys, known)
    for problem in problems:
        print(f"gpubench-tui: {config_path()}: {problem}", file=sys.stderr)
    effective = options.config._replace(keys=keys)
    sys.stdout.write(config_text(effective, default_root(), known.values()))
    return BAD_USAGE if problems or options.config.problems else MEASURED


def completion(options: Namespace) -> int:
    """The script that lets a shell complete what is typed."""
    from .completion import SCRIPTS

    sys.stdout.write(SCRIPTS[options.shell])
    return MEASURED


def complete(parser: ArgumentParser, words: Sequence[str]) -> int:
    """Answer such a script: a line for each word that may come, and what it means after a tab."""
    from .completion import answers

    for answer in answers(parser, words or [""]):
        print(f"{answer.word}\t{answer.help}" if answer.help else answer.word)
    return MEASURED


def check_command(parser: ArgumentParser, first: Sequence[str]) -> None:
    """Refuse a first word that is no command with what was meant by it."""
    word = "".join(first)
    if not word or word.startswith("-"):
        return
    from .completion import answers

    known = [answer.word for answer in answers(parser, [""])]
    if word in known:
        return
    from ...engine.plan.library import find_preset
    from ...engine.plan.read import PresetError
    from ...engine.text.suggestions import nearest

    try:
        find_preset(word)
    except PresetError:
        raise UsageError(f"{word!r} is no command{nearest(word, known)}") from None
    raise UsageError(f"{word!r} is no command; did you mean gpubench-tui run {word}?")


def run(options: Namespace) -> int:
    """One session, from the preset to its results."""
    from ...engine.conductor.start import start_session
    from ...engine.plan.expand import make_plan
    from ...engine.plan.library import find_preset
    from ...engine.plan.needs import needs
    from ...engine.plan.read import PresetError, write_preset
    from . import report_file
    from .progress import follow, print_results

    if options.output is not None:
        report_file.check(options.output)
    try:
        preset_file = find_preset(options.preset)
        preset = preset_file.read(options.early_overrides + options.overrides)
        host = asked.inspect(options)
        plan = make_plan(preset_file.name, preset, host)
    except PresetError as error:
        raise UsageError(str(error)) from None
    for need in needs(plan, host):
        if need.level != "info":
            print(f"{need.level}: {need.text} ({need.remedy})", file=sys.stderr)
    for other in asked.all_running(options):
        print(f"warning: {other.name} is running: each disturbs the other's figures", file=sys.stderr)
    try:
        folder = asked.shelf(options).create(options.name, plan, host, write_preset(preset))
    except OSError as error:
        raise UsageError(f"the session's folder cannot be made: {error}") from None
    try:
        if not asked.on_terminal() or options.headless:
            return follow(folder, start_session)
        start_session(folder)
        status = asked.watch(options, folder)
        if not folder.goes_on():
            print_results(asked.read(folder))
            print(f"\ngpubench-tui report {folder.name} prints all of it", file=sys.stderr)
        return status
    finally:  # also where the reader of the results left, as `head` does
        _keep_report(options, folder)


def _keep_report(options: Namespace, folder: SessionFolder) -> None:
    if options.output is None:
        return
    from . import report_file

    try:
        report_file.write_report(folder, options.output)
    except UsageError as error:  # the session's own outcome is what its exit status tells
        print(f"gpubench-tui: {error}", file=sys.stderr)


def presets(options: Namespace) -> int:
    """Every preset, with its plan for this machine."""
    from .listings import preset_listing

    listing = preset_listing(asked.inspect(options), options.early_overrides + options.overrides)
    _print_listing(listing, options)
    return 0


def doctor(options: Namespace) -> int:
    """This machine, and what will limit a benchmark on it."""
    from .listings import doctor_listing

    listing = doctor_listing(asked.inspect(options), asked.shelf(options).root)
    _print_listing(listing, options)
    return 0


def sessions(options: Namespace) -> int:
    """All sessions on the shelf."""
    from .listings import session_listing

    listing = session_listing(asked.shelf(options), options.find)
    _print_listing(listing, options)
    return 0


def _print_listing(listing: Listing, options: Namespace) -> None:
    if options.json:
        import json

        print(json.dumps(listing.data, indent=2))
    else:
        print(listing.text)
