"""Candidates for the word that a shell is to complete, for which the scripts of `completion_scripts` ask.

The candidates come from the command line's own parser, so that nothing is declared twice.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

from ...engine.record.exit_status import MEASURED
from ...engine.text.files import user_path

if TYPE_CHECKING:
    from ...engine.plan.preset.preset import Preset
    from ...engine.record.shelf import Shelf

FILES, FOLDERS = ":files", ":directories"
"""Candidates for which the shell has to complete paths itself."""


def print_candidates(parser: argparse.ArgumentParser, words: Sequence[str]) -> int:
    """Print the candidates for the last word, one a line, each with its description after a tab."""
    for candidate in candidates(parser, words or [""]):
        print(f"{candidate.word}\t{candidate.help}" if candidate.help else candidate.word)
    return MEASURED


class Candidate(NamedTuple):
    """A candidate for the word to complete, or one of `FILES` and `FOLDERS`."""

    word: str
    help: str = ""


class _Position(NamedTuple):
    """The state of the command line before the word to complete."""

    parser: argparse.ArgumentParser
    command: str = ""
    expects: argparse.Action | None = None
    """The argument or option whose value comes next."""
    sessions_dir: Path | None = None
    first: str = ""
    """First argument of the command; empty where none was typed."""


def candidates(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[Candidate]:
    """Return the candidates for the last of the words; those before it are complete."""
    *before, current = _joined(words)
    option, equals, _ = current.partition("=")
    lead = option + equals if equals and option.startswith("--") else ""
    position = _position(parser, [*before, option] if lead else before)
    begun = current[len(lead) :]
    if begun.startswith("-") and not _is_option(position.expects):
        found: Sequence[Candidate] = _options(position.parser)
    else:
        found = _values(position, begun)
    # Bash splits `--format=m` into three words and replaces the last of them alone.
    done = len(current.rpartition("=")[0]) + 1 if "=" in words[-2:] else 0
    return [
        one if one.word in (FILES, FOLDERS) else one._replace(word=(lead + one.word)[done:])
        for one in found
        if one.word in (FILES, FOLDERS) or one.word.startswith(begun)
    ]


def command_word(parser: argparse.ArgumentParser, words: Sequence[str]) -> str | None:
    """Return the first word that is neither an option nor the value of one; None if there is none, or if
    an option before it is unknown or ambiguous."""
    for index, word in enumerate(words):
        if _is_option(_position(parser, words[:index]).expects):
            continue
        if not word.startswith("-"):
            return word
        if _find_option(parser, word.partition("=")[0]) is None:
            return None
    return None


def _joined(words: Sequence[str]) -> list[str]:
    """Return the words as they were typed: bash splits `a=b` into three."""
    joined: list[str] = []
    for number, word in enumerate(words):
        if number and "=" in (word, words[number - 1]):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _position(parser: argparse.ArgumentParser, before: Sequence[str]) -> _Position:
    position = _Position(parser)
    waiting = _arguments(parser)
    left = list(before)
    while left:
        word, equals, value = left.pop(0).partition("=")
        option = _find_option(position.parser, word)
        if option is not None:
            if option.nargs != 0 and not equals:
                if not left:
                    return position._replace(expects=option)
                value = left.pop(0)
            if option.dest == "sessions_dir":
                position = position._replace(sessions_dir=user_path(value))
        elif waiting and isinstance(waiting[0], argparse._SubParsersAction):
            if word not in waiting[0].choices:
                return position
            position = position._replace(parser=waiting[0].choices[word], command=word)
            waiting = _arguments(position.parser)
        elif waiting:
            position = position._replace(first=position.first or word)
            if waiting[0].nargs not in ("*", "+"):
                del waiting[0]
    return position._replace(expects=waiting[0] if waiting else None)


def _find_option(parser: argparse.ArgumentParser, word: str) -> argparse.Action | None:
    """Return the option that argparse takes the word for: of that name, or one that it abbreviates."""
    options = parser._option_string_actions
    if word in options or not word.startswith("--"):
        return options.get(word)
    abbreviated = [option for name, option in options.items() if name.startswith(word)]
    return abbreviated[0] if len(abbreviated) == 1 else None


def _arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if not action.option_strings]


def _is_option(action: argparse.Action | None) -> bool:
    return action is not None and bool(action.option_strings)


def _options(parser: argparse.ArgumentParser) -> list[Candidate]:
    return [
        Candidate(action.option_strings[-1], _plain(action.help))
        for action in parser._actions
        if action.option_strings
    ]


def _values(position: _Position, begun: str) -> Sequence[Candidate]:
    action = position.expects
    if action is None:
        return _options(position.parser)
    if isinstance(action, argparse._SubParsersAction):
        return [Candidate(str(one.dest), _plain(one.help)) for one in action._choices_actions]
    if action.choices is not None:
        return [Candidate(str(choice)) for choice in action.choices]
    return _named(position, str(action.metavar), begun)


def _named(position: _Position, metavar: str, begun: str) -> Sequence[Candidate]:
    """Return the candidates for an argument whose help names it `metavar`, of which `begun` is typed."""
    is_path = "/" in begun
    shell = {"FILE": [Candidate(FILES)], "DIR": [Candidate(FOLDERS)]}
    if metavar == "PRESET" and position.command == "trend":
        return _presets_with_sessions(position.sessions_dir)
    if metavar == "PRESET":
        return shell["FILE"] if is_path or begun.endswith(".py") else _presets()
    if metavar in ("SESSION", "A", "B"):
        running = position.command in ("attach", "stop")
        return shell["DIR"] if is_path else _sessions(position.sessions_dir, running)
    if metavar in ("DIAGNOSIS", "REMEDY", "RUN", "COSTS"):
        return _costs(begun) if metavar == "COSTS" else _tryable(position, metavar)
    if metavar in ("KEY=VALUE", "KEY=A,B"):
        return _preset_keys(begun) if metavar == "KEY=VALUE" else _varied_keys(begun)
    return shell.get(metavar, [])


def _plain(text: str | None) -> str:
    return (text or "").replace("%%", "%")


def _presets() -> list[Candidate]:
    from ...engine.plan.preset.errors import PresetError
    from ...engine.plan.preset.library import all_presets

    def title(read: Callable[[], Preset]) -> str:
        try:
            return read().title
        except PresetError:
            return "invalid preset"

    return [Candidate(file.name, title(file.read)) for file in all_presets()]


def _preset_keys(begun: str) -> list[Candidate]:
    """Return the keys of presets; once one is typed, the words that it takes."""
    from ...engine.plan.preset.reference import settable_keys

    keys = settable_keys()
    name, equals, _ = begun.partition("=")
    if equals:
        return [Candidate(f"{name}={word}") for word in keys[name].words] if name in keys else []
    return [Candidate(f"{name}=", key.meaning) for name, key in keys.items()]


def _varied_keys(begun: str) -> list[Candidate]:
    """Return the keys of a workload; once one is typed, the words that it takes beside those typed before."""
    from ...engine.plan.preset.reference import settable_keys

    tables = settable_keys()
    keys = {
        name.removeprefix("workload."): key for name, key in tables.items() if name.startswith("workload.")
    }
    name, equals, values = begun.partition("=")
    if not equals:
        return [Candidate(f"{each}=", key.meaning) for each, key in keys.items() if each != "name"]
    *typed, _ = values.split(",")
    before = "".join(f"{value}," for value in typed)
    words = keys[name].words if name in keys else ()
    return [Candidate(f"{name}={before}{word}") for word in words if word not in typed]


def _costs(begun: str) -> list[Candidate]:
    """Return the costs that a tune may be allowed, beside those typed before."""
    from ...engine.plan.remedy import Cost

    *typed, _ = begun.split(",")
    before = "".join(f"{value}," for value in typed)
    return [Candidate(f"{before}{cost}") for cost in get_args(Cost) if cost not in typed]


def _tryable(position: _Position, metavar: str) -> list[Candidate]:
    """Return what can be tried on the session that was typed: its diagnoses, their remedies or their runs.

    For other commands there is nothing.
    """
    from ...engine.analysis.analysis import analyse
    from ...engine.record.session import WITHOUT_STEPS, read_session

    if position.command != "try":
        return []
    try:
        folder = _shelf(position.sessions_dir).find(position.first or None)
        analysis = analyse(read_session(folder.journal, WITHOUT_STEPS))
    except (LookupError, OSError):
        return []
    found = [each for each in analysis.diagnoses_by_run if each.remedies]
    match metavar:
        case "DIAGNOSIS":
            candidates = [Candidate(each.name, each.severity) for each in found]
        case "REMEDY":
            candidates = [Candidate(one.name, each.name) for each in found for one in each.remedies]
        case _:
            candidates = [Candidate(each.runs[0], each.tried_on) for each in found]
    return list(dict.fromkeys(candidates))


def _sessions(root: Path | None, running: bool) -> list[Candidate]:
    """Return the sessions in `root`, newest first; with `running`, only those that are."""
    shelf = _shelf(root)
    found = [(folder.name, folder.goes_on()) for folder in shelf.all()]
    return [Candidate(name, "running" if runs else "") for name, runs in found if runs or not running]


def _presets_with_sessions(root: Path | None) -> list[Candidate]:
    from ...engine.analysis.sessions.trend import presets_on

    return [Candidate(name) for name in presets_on(_shelf(root))]


def _shelf(root: Path | None) -> Shelf:
    from ...engine.record.shelf import Shelf, default_root
    from ..config import read_config

    return Shelf(root or read_config().sessions_dir or default_root())
