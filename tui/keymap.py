"""The keymap: all declared key bindings, and the check of a user's own keys against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from textual.binding import Binding, BindingType
from textual.keys import REPLACED_KEYS, Keys, key_to_character

from ..engine.text.plain import cut_in_middle
from ..engine.text.suggestions import nearest
from .keys import area

MODIFIERS = ("ctrl", "shift", "alt", "super", "hyper", "meta")
CONTROL_CHARACTERS = {"ctrl+i": "tab", "ctrl+m": "enter"}
"""Keys that arrive as another key, because terminals send the same byte for both."""
LONGEST = 100
"""Characters of an action or a key at most, where they are wrong."""


class DeclaredBinding(NamedTuple):
    """The default keys of an action, merged over all classes that declare it."""

    id: str
    keys: tuple[str, ...]
    """Textual's names of the keys: `question_mark` for `?`."""
    tooltip: str
    areas: frozenset[str]
    """Areas in which the binding is active: the declaring screen's and those of its subclasses."""


def declared_bindings(app: type) -> dict[str, DeclaredBinding]:
    """Return every key binding by id: those of the app class first, then each screen's.

    Imports all screens.
    """
    found: dict[str, DeclaredBinding] = {}
    for owner in (app, *_screens_and_widgets()):
        areas = {area(name) for name, _ in _bindings(owner)}
        for base in owner.__mro__:
            for name, binding in _bindings(base):
                before = found.get(name, DeclaredBinding(name, (), binding.tooltip, frozenset({area(name)})))
                keys = tuple(dict.fromkeys((*before.keys, binding.key)))
                found[name] = before._replace(keys=keys, areas=before.areas | areas)
    return found


def _screens_and_widgets() -> Iterator[type]:
    """Yield all classes that the modules of screens and widgets define."""
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
    """Yield the bindings that the class itself declares, with their ids; Textual's own have none."""
    bindings: list[BindingType] = vars(owner).get("BINDINGS", [])
    return ((binding.id, binding) for binding in Binding.make_bindings(bindings) if binding.id)


def check_keys(
    wanted: Mapping[str, str], known: Mapping[str, DeclaredBinding]
) -> tuple[dict[str, str], list[str]]:
    """Return the valid ones among the wanted keys, and one sentence for each of the others.

    `wanted` maps actions to comma-separated keys; `known` holds every binding, from `declared_bindings`.
    """
    problems = {name: _problem(name, keys, known) for name, keys in wanted.items()}
    valid = {name: keys for name, keys in wanted.items() if problems[name] is None}
    # A dropped action gets its default key back, which another wanted action may have taken.
    while (conflict := next(_conflicts(valid, known), None)) is not None:
        name, problems[name] = conflict
        del valid[name]
    return valid, [
        f'keys: "{cut_in_middle(name, LONGEST)}": {problem}' for name, problem in problems.items() if problem
    ]


def _problem(name: str, keys: str, known: Mapping[str, DeclaredBinding]) -> str | None:
    if name not in known:
        return f"no such action{nearest(name, known, 'gpubench-tui config')}"
    for key in (key.strip() for key in keys.split(",")):
        *modifiers, last = key.split("+")
        if not set(modifiers) <= set(MODIFIERS) or not _is_key(last):
            shown = repr(cut_in_middle(key, LONGEST))
            return f"{shown} is not a key; write keys as in x, X, f5, ctrl+x or question_mark"
        if (sent := _sent_as(modifiers, last)) != key:
            return f"terminals send {key} as {sent}; write {sent} instead"
    return None


def _sent_as(modifiers: Sequence[str], last: str) -> str:
    """Return the key that arrives when this one is pressed: most terminals tell fewer keys apart."""
    if "shift" in modifiers and len(last) == 1:
        modifiers = [modifier for modifier in modifiers if modifier != "shift"]
        last = last if "ctrl" in modifiers else last.upper()
    key = "+".join((*modifiers, last))
    return CONTROL_CHARACTERS.get(key, key)


def _is_key(name: str) -> bool:
    if len(name) == 1:
        return name.isprintable() and name != " "
    return name in {key.value for key in Keys} or key_to_character(REPLACED_KEYS.get(name, name)) is not None


def _conflicts(valid: Mapping[str, str], known: Mapping[str, DeclaredBinding]) -> Iterator[tuple[str, str]]:
    """Yield wanted keys that are already taken where both actions are available, the last wanted first."""
    keys = {name: binding.keys for name, binding in known.items()}
    keys |= {name: _normalised(wanted) for name, wanted in valid.items()}
    for name in reversed(list(valid)):
        for other in known:
            together = known[name].areas & known[other].areas or "app" in (area(name), area(other))
            if other == name or not together:
                continue
            # The program itself shares keys on purpose, as between a screen and the help over it.
            shared = set(known[name].keys) & set(known[other].keys)
            for key in keys[name]:
                if key in keys[other] and key not in shared:
                    yield name, f"{key} is already the key of {other} ({known[other].tooltip})"


def _normalised(keys: str) -> tuple[str, ...]:
    return tuple(binding.key for binding in Binding.make_bindings([Binding(keys, "")]))
