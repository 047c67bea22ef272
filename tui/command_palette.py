"""The command palette: the available actions and, when typing, presets and sessions by name."""

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
from .requests import ShowMonitor, ShowResults
from .widgets.preset_list import PresetList


class PaletteEntry(NamedTuple):
    """An entry of the palette."""

    title: str
    """`area: Verb`."""
    help: str
    """Second line of the entry."""
    run: IgnoreReturnCallbackType


class PaletteProvider(Provider):
    """Provides the entries, from key bindings, presets on the screen and sessions on the shelf."""

    async def startup(self) -> None:
        """Read the names of the sessions, in a thread."""
        assert isinstance(self.app, NavigatingApp)
        shelf = Shelf(self.app.root or default_root())
        self._sessions = await asyncio.to_thread(lambda: [(one, one.goes_on()) for one in shelf.all()])

    def _keys(self) -> Iterator[PaletteEntry]:
        for key in active_keys(self.screen):
            binding = key.binding
            if key.enabled and binding.action != "command_palette":
                yield PaletteEntry(
                    f"{area(str(binding.id))}: {binding.description}",
                    f"{' '.join(key.shown)}  {binding.tooltip}",
                    partial(self.app.run_action, binding.action, key.node),
                )

    def _names(self) -> Iterator[PaletteEntry]:
        for presets in self.screen.query(PresetList):
            for preset in presets.options:
                if preset.id is not None:
                    yield PaletteEntry(
                        f"launch: Go to {preset.id}", "select this preset", partial(presets.go_to, preset.id)
                    )
        for folder, runs in self._sessions:
            state = "running: open its monitor" if runs else "open its results"
            yield PaletteEntry(f"sessions: Open {folder.name}", state, partial(self._open, folder, runs))

    def _open(self, folder: SessionFolder, runs: bool) -> None:
        self.app.post_message(ShowMonitor(folder) if runs else ShowResults(folder))

    async def discover(self) -> Hits:
        """Yield the available actions."""
        for command in self._keys():
            yield DiscoveryHit(command.title, command.run, help=escape(command.help))

    async def search(self, query: str) -> Hits:
        """Yield the entries that resemble what was typed."""
        matcher = self.matcher(query)
        for command in (*self._keys(), *self._names()):
            # A match in the help counts less than one in the title.
            score = max(matcher.match(command.title), matcher.match(command.help) / 4)
            if score > 0:
                yield Hit(score, matcher.highlight(command.title), command.run, help=escape(command.help))
