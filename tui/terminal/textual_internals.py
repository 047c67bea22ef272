"""All uses of Textual's private names: where Textual has no public way to do what the app needs.

`CHECKED_VERSIONS` are the versions of Textual on which the tests passed. A newer one needs a look at each use
here before it is added.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterable
from typing import Any

import rich.text
import textual.content
from rich.console import RenderableType
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._compositor import CompositorUpdate
from textual._context import active_message_pump
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.css.query import NoMatches
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget

from ...engine.text.plain import plain

__all__ = [
    "CHECKED_VERSIONS",
    "CompositorUpdate",
    "FilteringApp",
    "clear_line_caches",
    "composed_size",
    "ignore_stale_resizes",
    "is_idle",
    "resume_when_continued",
    "show_control_characters",
    "tell_escape_from_alt",
]

CHECKED_VERSIONS = ("8.0", "8.1", "8.2")
"""Major and minor versions of Textual."""


class FilteringApp(App[int]):
    """An app that can replace each screen update before it is sent to the terminal."""

    def filter_update(self, screen: Screen[object], update: CompositorUpdate) -> CompositorUpdate:  # noqa: ARG002
        """Return the update to send in place of `update`."""
        return update

    def send_sequence(self, sequence: str) -> None:
        """Send the terminal a sequence that draws nothing, after all updates of the screen so far."""
        driver = self._driver
        if not sequence or self.is_headless or driver is None:
            return
        # None while the terminal is another program's.
        if getattr(driver, "_writer_thread", None) is not None:
            driver.write(sequence)

    def _handle_exception(self, error: Exception) -> None:
        """Ignore errors of what comes too late: answers to a screen that is closed, or whose app ends."""
        if not (self._exit or (isinstance(error, NoMatches) and self._is_closed(active_message_pump.get()))):
            super()._handle_exception(error)

    def _is_closed(self, pump: MessagePump) -> bool:
        """Return whether the widget, or the screen, is no longer part of the app."""
        if not isinstance(pump, Widget):
            return False
        return not any(node in self.screen_stack for node in pump.ancestors_with_self)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable = self.filter_update(screen, renderable)
        super()._display(screen, renderable)


def ignore_stale_resizes() -> None:
    """Have every screen, including Textual's own, ignore a resize to a size that the window no longer has.

    Once laid out, a screen of Textual 8 posts its new size to itself. With two sizes under way at once, as
    behind a dialog while the window is dragged, each message triggers the other for ever.
    """
    resize = Screen._on_resize

    async def resize_to_present_size(self: Screen[Any], event: events.Resize) -> None:
        if event.size == self.app.size:
            await resize(self, event)

    Screen._on_resize = resize_to_present_size  # type: ignore[method-assign]


def show_control_characters() -> None:
    """Show control characters in any text of a widget as escapes.

    Textual drops a few and sends the rest, ESC among them, to the terminal, which would act on them.
    """
    textual.content._strip_control_codes = plain  # type: ignore[assignment]
    rich.text.strip_control_codes = plain  # type: ignore[attr-defined,assignment]


def clear_line_caches(app: App[Any]) -> None:
    """Discard all rendered lines, which are cached after the app's line filters, to render them anew."""
    for screen in app.screen_stack:
        for widget in screen.walk_children(Widget, with_self=True):
            widget._styles_cache.clear()


def composed_size(screen: Screen[Any]) -> Size:
    """Return the size that a screen is laid out for; that of the app changes before."""
    return screen._compositor.size


def has_ended(pump: MessagePump) -> bool:
    """Return whether an app, a screen or a widget handles no more messages."""
    return pump._closed or pump._closing


def is_idle(pump: MessagePump) -> bool:
    """Return whether an app, a screen or a widget waits for its next message, all else being done."""
    if has_ended(pump):
        return True
    # Calls for after a screen's next refresh, for which one that another covers may wait for ever.
    if isinstance(pump, Screen) and pump._callbacks and pump.is_active:
        return False
    queue: Any = pump._message_queue
    return queue.empty() and any(not waiter.done() for waiter in queue.ready_event._waiters)


def tell_escape_from_alt() -> None:
    """Have Escape and another key that arrive together count as these two keys.

    They look like the other key with Alt. Few such combinations mean anything to Textual; it drops Escape in
    the others.
    """
    feed = XTermParser.feed
    known = {each[1] for each in ANSI_SEQUENCES_KEYS if len(each) == 2 and each[0] == "\x1b"}
    # These begin a longer sequence.
    known |= set("[OPX]^_\\\x1b")
    escape = re.compile(f"\x1b(?=[^{re.escape(''.join(known))}])")

    def feed_keys(self: XTermParser, data: str) -> Iterable[Message]:
        return feed(self, escape.sub("\x1b[27u", data))

    XTermParser.feed = feed_keys  # type: ignore[method-assign]


def resume_when_continued(app: App[Any]) -> None:
    """Set up the terminal anew when this process continues after a stop, whatever stopped it.

    Textual does so too, but after a stop that it did not make itself, it takes its own settings of the
    terminal for those that it has to restore in the end, and two threads read from it.
    """
    driver = app._driver
    if not isinstance(driver, LinuxDriver):
        return
    loop = asyncio.get_running_loop()

    def resume() -> None:
        if app._exit:
            return
        if driver._key_thread is not None and driver._key_thread.is_alive():
            driver.suspend_application_mode()
        driver.resume_application_mode()

    # In the loop: a signal may arrive while the main thread holds a lock that this needs.
    signal.signal(signal.SIGCONT, lambda *_: loop.call_soon_threadsafe(resume))
