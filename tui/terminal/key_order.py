"""Keys in the order in which they were typed: each is handled to its end before the next is looked at.

Textual gives a key to the widget that has the focus when it arrives. Of keys that arrive together, as over a
slow line, the second would reach the old field or the old screen although the first opens a new one.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any
from weakref import WeakSet

from textual import events
from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker, get_current_worker

from ..workers import is_feed
from .output import DifferentialApp
from .textual_internals import has_ended, is_idle

PATIENCE_SECONDS = 10.0
"""Longest time that the next key waits for the screens to take the one before it."""
WORKER_SECONDS = 2.0
"""Longest time that the next key waits for a worker, or for the first contents of a screen."""
QUIET_TURNS = 8
"""Turns of the event loop without anything to do after which a key has had all its effects.

A result takes some of them from the dialog that is closed to the worker that waits for it.
"""
BUSY_TURNS = 100
"""Turns of the event loop after which to look less often."""
REST_SECONDS = 0.005
LEAVE_KEY = "ctrl+c"
"""Key that no worker delays: it may hang."""

_AFTER_ESCAPE = re.compile(r"alt\+(?:(shift)\+)?([a-z0-9])")


class FilledLater:
    """A screen that keys can use only once it has its first contents."""

    @property
    def is_filled(self) -> bool:
        """Return whether the screen has its first contents."""
        raise NotImplementedError


class KeyOrderApp(DifferentialApp):
    """An app that handles keys and pasted texts one after the other."""

    def __init__(self, css_path: list[str | PurePath]) -> None:
        super().__init__(css_path)
        self._waiting: deque[Message] = deque()
        self._taken: Message | None = None
        """The input that is handed on next."""
        self._turns: asyncio.Task[None] | None = None
        """Hands on the inputs that wait, one after the other."""
        self._asking: dict[Worker[Any], Screen[Any] | str] = {}
        """Workers that wait for an answer of the user, who needs keys for it, and the screens that ask."""
        self._focused: WeakSet[Screen[Any]] = WeakSet()
        """Screens that have had their first focus."""

    async def on_event(self, event: events.Event) -> None:
        """Hand on an event; a key only once those before it have been handled to their end."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif event is self._taken:
            self._taken = None
            await super().on_event(event)
        else:
            self._waiting.extend(_keys_of(event))
            if self._turns is None or self._turns.done():
                self._take_next()
                self._turns = asyncio.create_task(self._take_turns(), name="keys")

    def _take_next(self) -> None:
        self._taken = self._waiting.popleft()
        self.post_message(self._taken)

    async def _take_turns(self) -> None:
        await self._until_handled()
        while self._waiting and self.is_running:
            self._take_next()
            await self._until_handled()

    async def _until_handled(self) -> None:
        """Wait until nothing is left to be done for the last key."""
        began = time.monotonic()
        quiet = turns = 0
        while quiet < QUIET_TURNS and self.is_running:
            quiet = 0 if self._must_wait(time.monotonic() - began) else quiet + 1
            turns += 1
            await asyncio.sleep(0 if quiet or turns < BUSY_TURNS else REST_SECONDS)

    def _must_wait(self, waited: float) -> bool:
        if self._is_busy():
            return waited < PATIENCE_SECONDS
        return self._expects_answer() and waited < WORKER_SECONDS and not self._is_leaving()

    def _is_busy(self) -> bool:
        """Return whether the app, a screen or a widget has a message to handle."""
        return self._taken is not None or not all(map(is_idle, self._pumps()))

    def _pumps(self) -> Iterator[Any]:
        yield self
        for screen in self.screen_stack:
            yield from screen.walk_children(with_self=True)

    def _expects_answer(self) -> bool:
        """Return whether a worker finds out something that was asked for, or a screen has no contents yet."""
        screen = self.screen_stack[-1] if self.screen_stack else None
        if isinstance(screen, FilledLater) and not screen.is_filled:
            return True
        if screen is not None and self._awaits_focus(screen):
            return True
        return any(
            not (worker.is_finished or is_feed(worker) or self._waits_for_answer(worker))
            for worker in self.workers
        )

    def _awaits_focus(self, screen: Screen[Any]) -> bool:
        """Return whether a new screen has yet to focus what it names, without which keys go past it."""
        if screen.focused is not None:
            self._focused.add(screen)
        return bool(screen.AUTO_FOCUS) and screen.AUTO_FOCUS != "*" and screen not in self._focused

    def _waits_for_answer(self, worker: Worker[Any]) -> bool:
        """Return whether a worker's question is or was on the screen: keys before that are not for it."""
        asking = self._asking.get(worker)
        if asking is None or isinstance(asking, str):
            return asking is not None
        return asking in self.screen_stack or has_ended(asking)

    def _is_leaving(self) -> bool:
        return any(isinstance(event, events.Key) and event.key == LEAVE_KEY for event in self._waiting)

    async def push_screen_wait(self, screen: Screen[Any] | str, *, mode: str | None = None) -> Any:
        """Open a screen and return its result; meanwhile keys go to that screen."""
        worker = get_current_worker()
        self._asking[worker] = screen
        try:
            return await super().push_screen_wait(screen, mode=mode)
        finally:
            del self._asking[worker]


def _keys_of(event: events.Key | events.Paste) -> Iterator[Message]:
    """Yield the keys that were pressed.

    Escape and a letter that arrive together look like the letter with Alt, which means nothing here.
    """
    found = _AFTER_ESCAPE.fullmatch(event.key) if isinstance(event, events.Key) else None
    if found is None:
        yield event
    else:
        letter = found[2].upper() if found[1] else found[2]
        yield from (events.Key("escape", None), events.Key(letter, letter))
