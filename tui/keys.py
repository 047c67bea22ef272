"""The keys that do something: those active on a screen, all that are declared, and a user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from textual.binding import Binding

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.screen import Screen


class ActiveKey(NamedTuple):
    """What a key does on a screen now."""

    binding: Binding
    """Of the first of its keys."""
    shown: tuple[str, ...]
    """All its keys, as people write them."""
    node: DOMNode
    """The widget, screen or app that does it."""
    enabled: bool


def active_keys(screen: Screen[Any]) -> list[ActiveKey]:
    """What the program's own keys do on the screen now, those that work everywhere last."""
    found: dict[str, ActiveKey] = {}
    for node, binding, enabled, _ in screen.active_bindings.values():
        if binding.id is None:
            continue
        key = found.setdefault(binding.id, ActiveKey(binding, (), node, enabled))
        found[binding.id] = key._replace(shown=(*key.shown, screen.app.get_key_display(binding)))
    return sorted(found.values(), key=lambda key: area(str(key.binding.id)) == "app")


def area(name: str) -> str:
    """Where a key works: the part of its id before the dot."""
    return name.partition(".")[0]
