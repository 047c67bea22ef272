"""The guardian of a session's fork server: its parent, which outlives the session process by a moment.

Whatever the ranks have started descends from the guardian, however it detached itself, because the kernel
gives orphans to it. So once the session process is gone, killed by SIGKILL for instance, it ends them all and
removes what they left. Where the system cannot adopt orphans, on macOS, there is none.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time

from ...host.process import die_with_parent, signal_at_end_of_parent
from .parentage import Killing, adopt_orphans, descendants
from .remains import GUARDIAN_NAME, session_mark
from .temporary import remove_if_abandoned

PR_SET_NAME = 15  # from <linux/prctl.h>
WAKING = (signal.SIGCHLD, signal.SIGCONT)
"""Signals that the guardian waits for: its session process is to be gone, or a child has changed."""
FILES = 1 << 16
"""Number above those of all files that are open when the guardian starts."""
LOOK_SECONDS = 30.0
"""Interval at which it looks without a signal."""
SWEEP_SECONDS = 0.02
ABANDON_SECONDS = 30.0
"""Time after which it leaves processes alone that cannot be killed."""
LEAVE_SECONDS = 5.0
"""Time that the session process has to end after its fork server has left in order."""


def leave_guardian() -> None:
    """Go on in a child of this process, which stays behind as the child's guardian and never returns."""
    session, guardian = os.getppid(), os.getpid()
    if sys.platform != "linux":
        die_with_parent()
        return
    adopt_orphans()
    # Blocked before the fork, so that no change of the child is missed.
    signal.pthread_sigmask(signal.SIG_SETMASK, WAKING)
    try:
        server = os.fork()
    except OSError:
        os._exit(os.EX_OSERR)  # so that the session can say why
    if server == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        die_with_parent()
        if os.getppid() != guardian:
            os._exit(1)
        return
    status = 1
    try:
        status = Guardian(session, server).guard()
    finally:
        os._exit(status)


class Guardian:
    """Waits for the end of its session process or of its fork server, and then ends all that is left."""

    def __init__(self, session: int, server: int) -> None:
        self._session = session
        self._server = server
        self._ended: int | None = None
        """Exit code of the fork server."""

    def guard(self) -> int:
        """Wait and clean up; return the exit status, or end by the signal that has ended the fork server."""
        os.setsid()  # a signal to the group of the session process is not for the guardian
        os.closerange(3, FILES)  # the fork server's own
        ctypes.CDLL(None).prctl(PR_SET_NAME, GUARDIAN_NAME.encode())
        # It wakes a guardian that was stopped, too.
        signal_at_end_of_parent(signal.SIGCONT)
        while not self._session_is_gone() and self._ended is None:
            self._wait(LOOK_SECONDS)
        self._end_descendants()
        if self._ended == 0:
            self._await_session()
        if self._session_is_gone() and (folder := session_mark()) is not None:
            remove_if_abandoned(folder)
        return self._leave()

    def _session_is_gone(self) -> bool:
        return os.getppid() != self._session

    def _wait(self, seconds: float) -> None:
        signal.sigtimedwait(WAKING, seconds)
        self._collect()

    def _collect(self) -> None:
        """Collect the status of every child that has changed; stop with the fork server, for all to see."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG | os.WUNTRACED))[0]:
                pid, status = found
                if pid == self._server and os.WIFSTOPPED(status):
                    os.kill(os.getpid(), signal.SIGSTOP)
                elif pid == self._server:
                    self._ended = os.waitstatus_to_exitcode(status)

    def _end_descendants(self) -> None:
        killing, deadline = Killing(), time.monotonic() + ABANDON_SECONDS
        while killing.strike(descendants()) and time.monotonic() < deadline:
            time.sleep(SWEEP_SECONDS)
            self._collect()

    def _await_session(self) -> None:
        """Wait for a session process that is about to end: its fork server has noticed first."""
        deadline = time.monotonic() + LEAVE_SECONDS
        while not self._session_is_gone() and (left := deadline - time.monotonic()) > 0:
            self._wait(left)

    def _leave(self) -> int:
        if self._ended is None or self._ended >= 0:
            return self._ended or 0
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = -self._ended
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.kill(os.getpid(), number)
        return 1
