"""What each command does, given its options: results to standard output, all else to standard error."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .exits import BAD_USAGE, MEASURED, RUN_FAILED

if TYPE_CHECKING:
    from ..engine.analysis.export import Format
    from ..engine.host.facts import Host
    from ..engine.record.session import Session
    from ..engine.record.shelf import SessionFolder, Shelf
    from .listings import Listing

# Every command imports what it needs when it runs: `--help` and the app's first paint wait for nothing else.


class UsageError(Exception):
    """What was asked cannot be done; the message says why, and what would be right."""


def app(options: Namespace) -> int:
    """The app's launch screen."""
    _need_terminal("gpubench-tui run PRESET --headless measures without one")
    gc.disable()  # until the first paint is out: nearly all that is made before it stays
    from .app import run_app
    from .screens.launch import Options

    chosen = Options(getattr(options, "gpus", None), options.early_overrides)
    return run_app(options.sessions_dir, chosen, options.config)


def settle(options: Namespace) -> None:
    """Add what the user's config file says to what the command line does not."""
    from .config import read_config

    config = read_config()
    for problem in config.problems:
        print(f"gpubench-tui: {problem}", file=sys.stderr)
    options.config = config._replace(ascii=True) if hasattr(options, "ascii") else config
    options.sessions_dir = getattr(options, "sessions_dir", config.sessions_dir)


def config(options: Namespace) -> int:
    """The user's settings and where they are kept, as a file that could be kept there."""
    from ..engine.record.shelf import default_root
    from .config import config_path, config_text
    from .keys import checked, declared

    keys, problems = checked(options.config.keys)
    for problem in problems:
        print(f"gpubench-tui: {config_path()}: {problem}", file=sys.stderr)
    effective = options.config._replace(keys=keys)
    sys.stdout.write(config_text(effective, default_root(), declared().values()))
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
    from ..engine.plan.library import find_preset
    from ..engine.plan.read import PresetError
    from .config import nearest

    try:
        find_preset(word)
    except PresetError:
        raise UsageError(f"{word!r} is no command{nearest(word, known)}") from None
    raise UsageError(f"{word!r} is no command; did you mean gpubench-tui run {word}?")


def run(options: Namespace) -> int:
    """One session, from the preset to its results."""
    from ..engine.conductor.start import start_session
    from ..engine.plan.expand import make_plan
    from ..engine.plan.library import find_preset
    from ..engine.plan.needs import needs
    from ..engine.plan.read import PresetError, write_preset
    from .headless import follow, print_results

    if options.output is not None:
        _check_writable(options.output)
    try:
        preset_file = find_preset(options.preset)
        preset = preset_file.read(options.early_overrides + options.overrides)
        host = _inspect(options)
        plan = make_plan(preset_file.name, preset, host)
    except PresetError as error:
        raise UsageError(str(error)) from None
    for need in needs(plan, host):
        if need.level != "info":
            print(f"{need.level}: {need.text} ({need.remedy})", file=sys.stderr)
    for other in _running_sessions(options):
        print(f"warning: {other.name} is running: each disturbs the other's figures", file=sys.stderr)
    try:
        folder = _shelf(options).create(options.name, plan, host, write_preset(preset))
    except OSError as error:
        raise UsageError(f"the session's folder cannot be made: {error}") from None
    try:
        if not _on_terminal() or options.headless:
            return follow(folder, start_session)
        start_session(folder)
        status = _watch(options, folder)
        if not folder.goes_on():
            print_results(_fold(folder))
            print(f"\ngpubench-tui report {folder.name} prints all of it", file=sys.stderr)
        return status
    finally:  # also where the reader of the results left, as `head` does
        _keep_report(options, folder)


def _keep_report(options: Namespace, folder: SessionFolder) -> None:
    if options.output is None:
        return
    try:
        _write_report(folder, options.output)
    except UsageError as error:  # the session's own outcome is what its exit status tells
        print(f"gpubench-tui: {error}", file=sys.stderr)


def attach(options: Namespace) -> int:
    """The monitor, or progress lines, on a session that runs."""
    folder = _running(options)
    if _on_terminal():
        return _watch(options, folder)
    from .headless import follow

    return follow(folder)


def replay(options: Namespace) -> int:
    """The monitor over a journal, event by event in its own time."""
    folder = _find(options)
    _need_terminal(f"gpubench-tui report {folder.name} prints its results")
    return _watch(options, folder, options.speed)


def stop(options: Namespace) -> int:
    """Stop a session and wait until it is gone."""
    from ..engine.conductor.control import stop as stop_session
    from .headless import wait_until_gone

    folder = _running(options)
    if not stop_session(folder):
        raise UsageError(f"{folder.name} does not run on this machine")
    wait_until_gone(folder)
    print(f"stopped {folder.name}", file=sys.stderr)
    return 0


def report(options: Namespace) -> int:
    """A session's results in one of the formats."""
    from ..engine.analysis.export import render

    folder = _find(options)
    form = options.format or ("md" if options.output is None else _format_of(options.output))
    text = render(_fold(folder), form)
    if options.output is None:
        sys.stdout.write(text)
    else:
        _write(options.output, text)
        print(f"written to {options.output.resolve()}", file=sys.stderr)
    return 0


def compare(options: Namespace) -> int:
    """Sessions side by side; whether any is worse than the first is told by the exit status if asked for."""
    from ..engine.analysis.compare import compare_all
    from ..engine.analysis.compare_report import render_comparison

    base, *others = (_find(options, name) for name in (options.a, *options.others))
    comparison = compare_all(_fold(base), [_fold(other) for other in others])
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


def presets(options: Namespace) -> int:
    """Every preset, with its plan for this machine."""
    from .listings import preset_listing

    listing = preset_listing(_inspect(options), options.early_overrides + options.overrides)
    _print_listing(listing, options)
    return 0


def doctor(options: Namespace) -> int:
    """This machine, and what will limit a benchmark on it."""
    from .listings import doctor_listing

    listing = doctor_listing(_inspect(options), _shelf(options).root)
    _print_listing(listing, options)
    return 0


def sessions(options: Namespace) -> int:
    """All sessions on the shelf."""
    from .listings import session_listing

    listing = session_listing(_shelf(options), options.find)
    _print_listing(listing, options)
    return 0


def rename(options: Namespace) -> int:
    """Give a session another name."""
    from ..engine.record.shelf import ShelfError

    folder = _find(options)
    try:
        renamed = _shelf(options).rename(folder, options.name)
    except ShelfError as error:
        raise UsageError(str(error)) from None
    print(f"{folder.name} is now {renamed.name}", file=sys.stderr)
    return 0


def delete(options: Namespace) -> int:
    """Remove sessions, having asked."""
    from ..engine.record.shelf import ShelfError

    found = (_find(options, name) for name in options.sessions)
    folders = {folder.name: folder for folder in found}
    names = ", ".join(folders)
    if not options.yes:
        if not _on_terminal():
            raise UsageError(f"without a terminal to ask on, --yes is what deletes {names}")
        print(f"Delete {names} with everything recorded? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
            print("nothing was deleted", file=sys.stderr)
            return 0
    try:
        for folder in folders.values():
            _shelf(options).delete(folder)
            print(f"deleted {folder.name}", file=sys.stderr)
    except ShelfError as error:
        raise UsageError(str(error)) from None
    return 0


def _print_listing(listing: Listing, options: Namespace) -> None:
    if options.json:
        import json

        print(json.dumps(listing.data, indent=2))
    else:
        print(listing.text)


def _shelf(options: Namespace) -> Shelf:
    from ..engine.record.shelf import Shelf, default_root

    return Shelf(options.sessions_dir or default_root())


def _watch(options: Namespace, folder: SessionFolder, replay_speed: float | None = None) -> int:
    gc.disable()
    from .app import Watched, watch

    return watch(_shelf(options), Watched(folder, replay_speed), options.config)


def _inspect(options: Namespace) -> Host:
    from ..engine.host.inspect import inspect_host

    try:
        return inspect_host(getattr(options, "gpus", None))
    except ValueError as error:
        raise UsageError(f"--gpus: {error}") from None


def _find(options: Namespace, name: str | None = None) -> SessionFolder:
    """The session of that name, or else the one that the options name."""
    try:
        return _shelf(options).find(options.session if name is None else name)
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None


def _running(options: Namespace) -> SessionFolder:
    """The session named, or the newest that runs."""
    if options.session is not None:
        folder = _find(options)
        if not folder.goes_on():
            raise UsageError(
                f"{folder.name} does not run any more; gpubench-tui report {folder.name} prints it"
            )
        return folder
    running = _running_sessions(options)
    if not running:
        raise UsageError("no session runs; gpubench-tui sessions lists the past ones")
    return running[0]


def _running_sessions(options: Namespace) -> list[SessionFolder]:
    """Those on the shelf that run, newest first."""
    return [folder for folder in _shelf(options).all() if folder.is_running()]


def _fold(folder: SessionFolder) -> Session:
    from ..engine.record.session import read_session

    try:
        return read_session(folder.journal)
    except FileNotFoundError:
        raise UsageError(f"{folder.name} has no journal; {folder.log} may say why") from None


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _need_terminal(instead: str) -> None:
    if not _on_terminal():
        dumb = " that can move its cursor, and TERM is dumb" if os.environ.get("TERM") == "dumb" else ""
        raise UsageError(f"this needs a terminal{dumb}; {instead}")


def _check_writable(path: Path) -> None:
    """Find out before the measurement rather than after it."""
    _format_of(path)
    if path.is_dir():
        raise UsageError(f"--output {path}: is a folder, expected a file")
    parent = path.resolve().parent
    if not parent.is_dir():
        raise UsageError(f"--output {path}: no folder {parent}")
    if not os.access(path if path.exists() else parent, os.W_OK):
        raise UsageError(f"--output {path}: cannot be written")


def _format_of(path: Path) -> Format:
    from ..engine.analysis.export import format_of

    try:
        return format_of(path)
    except ValueError as error:
        raise UsageError(f"--output {path}: {error}") from None


def _write_report(folder: SessionFolder, path: Path) -> None:
    from ..engine.analysis.export import render

    _write(path, render(_fold(folder), _format_of(path)))
    print(f"report: {path.resolve()}", file=sys.stderr)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
