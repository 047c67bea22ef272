"""The first lines of the `gpubench-tui` command: its process is put in order before anything is imported."""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = b"gpubench-tui: interrupted\n"
INTERRUPTED_STATUS = 130


def main() -> int:
    """Run the command and return its exit status; an interrupt ends it at once with one sentence.

    Python's own handler would print the traceback of an import, and its exception may be lost in a callback.
    What an interrupt must not tear apart holds it back: the start of a session, and the app.
    """
    # Whoever ignores interrupts, like a shell's job in the background, goes on to.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    # Of a mask, those bits that take away what the program needs itself.
    os.umask(os.umask(0o077) & 0o077)
    from .streams import replace_closed

    replace_closed()
    from .main import main as command

    status = command()
    _leave_threads_of_app(status)
    return status


def _leave_threads_of_app(status: int) -> None:
    """End this process if the app has left threads, which only an app that was loaded can have."""
    if f"{__package__.rpartition('.')[0]}.app" in sys.modules:
        from ..terminal.leaving import leave_threads

        leave_threads(status)


def _leave(*_: object) -> None:
    try:
        os.write(2, INTERRUPTED)
    finally:
        os._exit(INTERRUPTED_STATUS)
