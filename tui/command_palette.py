"""The command palette: the available actions and, when typing, presets and sessions by name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.markup import escape
from textual.types import IgnoreReturnCallbackType

from ..engine.record.session_folder import SessionFolder
from ..engine.record.shelf import Shelf, default_root
from .keys import active_keys
from .navigation import NavigatingApp
from .requests import ShowLaunch, ShowMonitor, ShowResults, ShowSessions
from .widgets.preset_list import PresetList

WHOLE_WORDS = 1000.0
"""Score of the beginnings of words, above any of letters far apart."""
IN_THE_LIST = (
    ("sessions.compare", "Compare sessions", "select them with Space, then c"),
    ("sessions.trend", "Trend of a preset", "t on one of its sessions"),
    ("sessions.delete", "Delete sessions", "x, after a question"),
    ("sessions.rename", "Rename a session", "n"),
    ("sessions.replay", "Replay a session", "r"),
    ("results.try", "Try a remedy", "Enter opens a session's results, t tries one of a diagnosis"),
    ("sessions.resume", "Resume a session", "u on one that was stopped or interrupted"),
    ("results.export", "Report or export of a session", "Enter on it, then e"),
    ("results.again", "Run a session again", "Enter on it, then r"),
)
"""Actions that begin in the list of sessions: name of the binding, title, and the way to it there."""


class PaletteEntry(NamedTuple):
    """An entry of the palette."""

    title: str
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
                    binding.description or binding.tooltip,
                    f"{' '.join(key.shown)}  {binding.tooltip}",
                    partial(self.app.run_action, binding.action, key.node),
                )

    def _names(self) -> Iterator[PaletteEntry]:
        for presets in self.screen.query(PresetList):
            for preset in presets.options:
                if preset.id is not None:
                    go = partial(presets.go_to, preset.id)
                    yield PaletteEntry(f"Go to {preset.id}", "highlight this preset", go)
        for folder, runs in self._sessions:
            state = "running session: its monitor" if runs else "session: its results"
            yield PaletteEntry(f"Open {folder.name}", state, partial(self._open, folder, runs))

    def _elsewhere(self) -> Iterator[PaletteEntry]:
        """Yield what other screens and commands do, with the way there."""
        here = {str(key.binding.id) for key in active_keys(self.screen)}
        post = self.app.post_message
        if not self.screen.query(PresetList):
            yield PaletteEntry("Presets", "choose, edit or start one", partial(post, ShowLaunch()))
        running = next((folder for folder, runs in self._sessions if runs), None)
        if running is not None and "launch.attach" not in here:
            attach = partial(self._open, running, True)
            yield PaletteEntry("Attach", f"open the monitor of {running.name}", attach)
        if "launch.tune" not in here:
            yield PaletteEntry("Tune a preset", "on the presets: t", partial(post, ShowLaunch()))
        for name, title, way in IN_THE_LIST:
            if name not in here:
                yield PaletteEntry(title, f"in the list of sessions: {way}", partial(post, ShowSessions()))

    def _open(self, folder: SessionFolder, runs: bool) -> None:
        self.app.post_message(ShowMonitor(folder) if runs else ShowResults(folder))

    async def discover(self) -> Hits:
        """Yield the available actions."""
        for command in self._keys():
            yield DiscoveryHit(command.title, command.run, help=escape(command.help))

    async def search(self, query: str) -> Hits:
        """Yield the entries that resemble what was typed."""
        matcher = self.matcher(query)
        for command in (*self._keys(), *self._elsewhere(), *self._names()):
            # Letters far apart mean something in a short title only.
            score = matcher.match(command.title)
            score += WHOLE_WORDS * _has_words(query, command.title)
            score += WHOLE_WORDS / 2 * _has_words(query, f"{command.title} {command.help}")
            if score > 0:
                yield Hit(score, matcher.highlight(command.title), command.run, help=escape(command.help))


def _has_words(query: str, text: str) -> bool:
    """Return whether a word of the text begins with each word of the query."""
    words = re.findall(r"[\w-]+", text.casefold())
    return all(any(word.startswith(typed) for word in words) for typed in query.casefold().split())
