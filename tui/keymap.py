"""The keymap: every key binding that is declared, and a user's own keys checked against them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from textual.binding import Binding, BindingType
from textual.keys import REPLACED_KEYS, Keys, key_to_character

from ..engine.text.suggestions import nearest
from .config import Config, config_path
from .keys import area

MODIFIERS = ("ctrl", "shift", "alt", "super", "hyper", "meta")


class Declared(NamedTuple):
    """What a key does, as it is declared."""

    id: str
    keys: tuple[str, ...]
    """In Textual's names, `question_mark` for `?`."""
    tooltip: str
    areas: frozenset[str]
    """Its own, and those whose screens are made of the screen that declares it."""


def declared(app: type) -> dict[str, Declared]:
    """Return every key binding by id: those of the app's class first, then each screen's.

    Imports all screens.
    """
    found: dict[str, Declared] = {}
    for owner in (app, *_screens_and_widgets()):
        areas = {area(name) for name, _ in _bindings(owner)}
        for base in owner.__mro__:
            for name, binding in _bindings(base):
                before = found.get(name, Declared(name, (), binding.tooltip, frozenset({area(name)})))
                keys = tuple(dict.fromkeys((*before.keys, binding.key)))
                found[name] = before._replace(keys=keys, areas=before.areas | areas)
    return found


def _screens_and_widgets() -> Iterator[type]:
    """Return all classes that the modules of screens and widgets define."""
    import importlib
    import pkgutil

    from . import screens, widgets

    names = [
        module.name
        for package in (screens, widgets)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    for name in names:
        module = importlib.import_module(name)
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__:
                yield value


def _bindings(owner: type) -> Iterator[tuple[str, Binding]]:
    """Those that the class itself declares, by id; Textual's own have none."""
    bindings: list[BindingType] = vars(owner).get("BINDINGS", [])
    return ((binding.id, binding) for binding in Binding.make_bindings(bindings) if binding.id)


def checked(wanted: Mapping[str, str], known: Mapping[str, Declared]) -> tuple[dict[str, str], list[str]]:
    """Return the wanted keys that make sense together, and a sentence about each of the others.

    `known`: every binding, as `declared` returns them.
    """
    problems = {name: _problem(name, keys, known) for name, keys in wanted.items()}
    sound = {name: keys for name, keys in wanted.items() if problems[name] is None}
    # One that is dropped has its own key again, which another may have taken meanwhile.
    while (conflict := next(_conflicts(sound, known), None)) is not None:
        name, problems[name] = conflict
        del sound[name]
    return sound, [f'keys: "{name}": {problem}' for name, problem in problems.items() if problem]


def _problem(name: str, keys: str, known: Mapping[str, Declared]) -> str | None:
    if name not in known:
        return f"nothing is called so{nearest(name, known)}"
    for key in (key.strip() for key in keys.split(",")):
        *modifiers, last = key.split("+")
        if not set(modifiers) <= set(MODIFIERS) or not _is_key(last):
            return f"{key!r} is no key; keys are written as in x, X, f5, ctrl+x or question_mark"
        if "shift" in modifiers and len(last) == 1:
            return f"terminals tell {key} as {last.upper()}; write that"
    return None


def _is_key(name: str) -> bool:
    if len(name) == 1:
        return name.isprintable() and name != " "
    return name in {key.value for key in Keys} or key_to_character(REPLACED_KEYS.get(name, name)) is not None


def _conflicts(sound: Mapping[str, str], known: Mapping[str, Declared]) -> Iterator[tuple[str, str]]:
    """Wanted keys that do something else already where both can be pressed, last wanted first."""
    keys = {name: one.keys for name, one in known.items()}
    keys |= {name: _normalised(wanted) for name, wanted in sound.items()}
    for name in reversed(list(sound)):
        for other in known:
            together = known[name].areas & known[other].areas or "app" in (area(name), area(other))
            if other == name or not together:
                continue
            # Where the program itself shares a key, as between a screen and the help over it, it knows why.
            shared = set(known[name].keys) & set(known[other].keys)
            for key in keys[name]:
                if key in keys[other] and key not in shared:
                    yield name, f"{key} is the key of {other} already ({known[other].tooltip})"


def _normalised(keys: str) -> tuple[str, ...]:
    return tuple(binding.key for binding in Binding.make_bindings([Binding(keys, "")]))


def config_text(config: Config, default_root: Path, keys: Iterable[Declared]) -> str:
    """The settings as a file that could be kept: what is as it is without a file stands in comments."""
    path = config_path()
    lines = [
        f"# {path}" + ("" if path.exists() else ": not there; this could be kept as it"),
        "# A line that begins with # is the default.",
        _line("theme", config.theme, Config().theme, 'or "light"'),
        _line("ascii", config.ascii, None, "draw with plain ASCII; otherwise where the locale has no UTF-8"),
        _line("sessions_dir", config.sessions_dir, None, "where sessions are kept", default_root),
        "",
        "[keys]",
    ]
    for one in keys:
        default = ",".join(one.keys)
        lines.append(_line(one.id, config.keys.get(one.id, default), default, one.tooltip))
    return "\n".join(lines) + "\n"


def _line(name: str, value: object, default: object, comment: str, shown: object = True) -> str:
    """A setting; where it is the default a comment, that shows `shown` in place of None."""
    import json

    value, is_default = (shown if value is None else value), value == default
    text = json.dumps(value if isinstance(value, bool) else str(value), ensure_ascii=False)
    setting = f"{'# ' if is_default else ''}{name} = {text}"
    return f"{setting:<40}  # {comment}"
