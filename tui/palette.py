"""The command palette: everything that keys do now, found by typing, and every session by its name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.markup import escape
from textual.types import IgnoreReturnCallbackType

from .keys import active_keys, area


class Command(NamedTuple):
    """An entry."""

    title: str
    """`area: Verb`."""
    help: str
    run: IgnoreReturnCallbackType


class KeyCommands(Provider):
    """What the keys of the screen do, said by the bindings themselves."""

    def _commands(self) -> Iterator[Command]:
        for key in active_keys(self.screen):
            binding = key.binding
            if key.enabled and binding.action != "command_palette":
                yield Command(
                    f"{area(str(binding.id))}: {binding.description}",
                    escape(f"{' '.join(key.shown)}  {binding.tooltip}"),
                    partial(self.app.run_action, binding.action, key.node),
                )

    async def discover(self) -> Hits:
        """All of them."""
        for command in self._commands():
            yield DiscoveryHit(command.title, command.run, help=command.help)

    async def search(self, query: str) -> Hits:
        """Those whose title resembles what was typed."""
        matcher = self.matcher(query)
        for command in self._commands():
            # What is said about a command finds it too, after those that are called so.
            score = max(matcher.match(command.title), matcher.match(command.help) / 4)
            if score > 0:
                yield Hit(score, matcher.highlight(command.title), command.run, help=command.help)
