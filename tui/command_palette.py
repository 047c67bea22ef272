"""The command palette: what the keys do now, and by typing any preset and any session by its name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.markup import escape
from textual.types import IgnoreReturnCallbackType

from ..engine.record.shelf import SessionFolder, Shelf, default_root
from .keys import active_keys, area
from .navigation import NavigatingApp
from .requests import ShowResults, Watch
from .widgets.preset_list import PresetList


class Command(NamedTuple):
    """An entry."""

    title: str
    """`area: Verb`."""
    help: str
    run: IgnoreReturnCallbackType


class Commands(Provider):
    """All entries; none of them is declared here."""

    async def startup(self) -> None:
        """Look for the sessions, in a thread."""
        assert isinstance(self.app, NavigatingApp)
        shelf = Shelf(self.app.root or default_root())
        self._sessions = await asyncio.to_thread(lambda: [(one, one.goes_on()) for one in shelf.all()])

    def _keys(self) -> Iterator[Command]:
        for key in active_keys(self.screen):
            binding = key.binding
            if key.enabled and binding.action != "command_palette":
                yield Command(
                    f"{area(str(binding.id))}: {binding.description}",
                    f"{' '.join(key.shown)}  {binding.tooltip}",
                    partial(self.app.run_action, binding.action, key.node),
                )

    def _names(self) -> Iterator[Command]:
        for presets in self.screen.query(PresetList):
            for preset in presets.options:
                if preset.id is not None:
                    yield Command(
                        f"launch: Go to {preset.id}", "this preset", partial(presets.go_to, preset.id)
                    )
        for folder, runs in self._sessions:
            state = "it runs" if runs else "its results"
            yield Command(f"sessions: Open {folder.name}", state, partial(self._open, folder, runs))

    def _open(self, folder: SessionFolder, runs: bool) -> None:
        self.app.post_message(Watch(folder) if runs else ShowResults(folder))

    async def discover(self) -> Hits:
        """What the keys do."""
        for command in self._keys():
            yield DiscoveryHit(command.title, command.run, help=escape(command.help))

    async def search(self, query: str) -> Hits:
        """Those whose title resembles what was typed."""
        matcher = self.matcher(query)
        for command in (*self._keys(), *self._names()):
            # What is said about a command finds it too, after those that are called so.
            score = max(matcher.match(command.title), matcher.match(command.help) / 4)
            if score > 0:
                yield Hit(score, matcher.highlight(command.title), command.run, help=escape(command.help))
