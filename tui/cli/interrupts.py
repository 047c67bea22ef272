"""Interrupts of a command while it must not be torn apart: it starts a session, or follows one."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from types import FrameType

from ...engine.conductor.control import stop_session
from ...engine.record.session_folder import SessionFolder

POLL_SECONDS = 0.1
_held: list[list[int]] = []
"""The list of the outermost context, if there is one."""


@contextlib.contextmanager
def held_interrupts() -> Iterator[list[int]]:
    """Collect Ctrl+C and SIGTERM in a list within the context, instead of interrupting.

    A context within another has the list of that one: no interrupt is lost between them.
    """
    if _held:
        yield _held[0]
        return
    received: list[int] = []
    _held.append(received)

    def receive(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    previous = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        _held.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)


def stop_started(folder: SessionFolder, process: subprocess.Popen[bytes]) -> None:
    """Stop a session that was started a moment ago, and wait for its end."""
    # It cannot be stopped before it holds its lock.
    while process.poll() is None and not stop_session(folder):
        time.sleep(POLL_SECONDS)
    wait_until_ended(folder)


def wait_until_ended(folder: SessionFolder) -> None:
    """Return once the session's process has ended."""
    while folder.goes_on():
        time.sleep(POLL_SECONDS)
