"""The keys that are active on a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from textual.binding import Binding

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.screen import Screen


class ActiveKey(NamedTuple):
    """An action that is available on a screen, with its keys."""

    binding: Binding
    """Binding of the first of its keys."""
    shown: tuple[str, ...]
    """All its keys, as displayed."""
    node: DOMNode
    """Widget, screen or app that declares the action."""
    enabled: bool
    """False while the action is unavailable."""


def active_keys(screen: Screen[Any]) -> list[ActiveKey]:
    """Return the program's own actions that are available on a screen, those of the whole app last."""
    found: dict[str, ActiveKey] = {}
    for node, binding, enabled, _ in screen.active_bindings.values():
        if binding.id is None:
            continue
        key = found.setdefault(binding.id, ActiveKey(binding, (), node, enabled))
        found[binding.id] = key._replace(shown=(*key.shown, screen.app.get_key_display(binding)))
    return sorted(found.values(), key=lambda key: area(str(key.binding.id)) == "app")


def area(name: str) -> str:
    """Return the area in which a binding works: the part of its id before the dot."""
    return name.partition(".")[0]
