"""The end of the app when a signal asks for it or its terminal is gone."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
import time
from collections.abc import Callable

LEAVE_SECONDS = 2.0
"""How long the app may take to leave in order once it was told to."""


def leave_when_told(leave: Callable[[int], None]) -> None:
    """Call `leave` with the status in the running loop when told by SIGTERM or SIGHUP; be gone soon after.

    A terminal that takes no more keeps the loop from running, and there is nothing to restore for it then.
    """
    loop = asyncio.get_running_loop()

    def told(number: int, _: object) -> None:
        loop.call_soon_threadsafe(leave, 128 + number)
        threading.Thread(target=give_up, args=(128 + number,), daemon=True).start()

    def give_up(status: int) -> None:
        time.sleep(LEAVE_SECONDS)
        os._exit(status)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, told)


def leave_when_hung_up(file: int) -> None:
    """End this process at once when the terminal behind `file` is gone.

    Nothing is left to restore then, and nothing is lost: the session is another process. Textual would wait
    for a writer that is gone, or read an end of file for ever.
    """

    def wait() -> None:
        poll = select.poll()
        poll.register(file, 0)
        while True:
            for _, events in poll.poll():
                if events & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                    os._exit(128 + signal.SIGHUP)

    threading.Thread(target=wait, name="hang-up", daemon=True).start()
