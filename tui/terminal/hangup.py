"""Ends the app on a signal or when its terminal is gone."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
import time
from collections.abc import Callable

EXIT_SECONDS = 2.0
"""Seconds for an orderly exit after a signal."""


def exit_on_signal(leave: Callable[[int], None]) -> None:
    """Call `leave` with the exit status in the running loop on SIGTERM or SIGHUP, and exit soon after.

    A terminal that accepts no more output blocks the loop; nothing can be restored on it then.
    """
    loop = asyncio.get_running_loop()

    def receive(number: int, _: object) -> None:
        loop.call_soon_threadsafe(leave, 128 + number)
        threading.Thread(target=force_exit, args=(128 + number,), daemon=True).start()

    def force_exit(status: int) -> None:
        time.sleep(EXIT_SECONDS)
        os._exit(status)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, receive)


def exit_on_hangup(*files: int) -> None:
    """End this process at once when the terminal behind one of these file descriptors is gone.

    There is no terminal to restore then, and nothing is lost: the session is another process. Textual would
    wait for a writer that is gone, or read end-of-file for ever.
    """

    def wait() -> None:
        poll = select.poll()
        for file in files:
            poll.register(file, 0)
        while True:
            for _, events in poll.poll():
                if events & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                    os._exit(128 + signal.SIGHUP)

    threading.Thread(target=wait, name="hang-up", daemon=True).start()
