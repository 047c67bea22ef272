"""The process that a session's ranks are forked from, with torch imported; another one when it is lost.

On Linux the process that multiprocessing has started and knows is its guardian.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import psutil

from ...host.shortage import with_remedy
from .parentage import bury, children, descendants, is_leaving, is_stopped, kill

HAS_GUARDIAN = sys.platform == "linux"
STOPPED_SECONDS = 5.0
"""Time that it may be stopped while ranks wait to be started: whoever has stopped it may continue it."""
FORK_SERVER = "the fork server, from which the ranks are started,"
UNKNOWN = "ended"
REPLACE_SECONDS = 5.0
"""Time that a killed fork server has to end before its successor is started."""


def start_fork_server() -> None:
    """Start the process that the ranks are forked from, unless it runs. Return at once.

    One that was stopped, or whose socket was deleted, is replaced.
    """
    if fork_server_is_stopped() or _is_out_of_reach():
        end_fork_server()
    if end_of_fork_server() == UNKNOWN:
        _forget()
    multiprocessing.set_forkserver_preload([f"{__package__}.settle", f"{__package__}.preload"])
    forkserver.ensure_running()


def end_fork_server() -> None:
    """Kill the fork server and all that descends from it; wait until it has ended."""
    pid = _known()
    if pid is None:
        return
    family = descendants(pid)
    kill({pid, *family})
    deadline = time.monotonic() + REPLACE_SECONDS
    while end_of_fork_server() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    while any(map(psutil.pid_exists, family)) and time.monotonic() < deadline:
        bury(family)  # they were adopted by this process
        time.sleep(0.01)


def helpers() -> set[int]:
    """Return the ids of the processes that multiprocessing started for itself; it collects their status."""
    tracker: int | None = getattr(resource_tracker._resource_tracker, "_pid", None)
    server = _known()
    found = {pid for pid in (tracker, server) if pid is not None}
    if HAS_GUARDIAN and server is not None:
        found.update(children(server)[:1])
    return found


def forking_process() -> int | None:
    """Return the process that forks the ranks, a guardian's first child; None where it is not known."""
    server = _known()
    if HAS_GUARDIAN and server is not None:
        return next(iter(children(server)), None)
    return server


def adopted() -> set[int]:
    """Return the processes that were adopted, by this process or by the guardian, and may be of any run."""
    server = _known()
    found = set(children(os.getpid()))
    if HAS_GUARDIAN and server is not None:
        found.update(children(server))
    return found - helpers()


def fork_server_is_stopped() -> bool:
    """Whether the fork server exists and has been stopped by a signal."""
    pid = _known()
    return pid is not None and is_stopped(pid)


def _is_out_of_reach() -> bool:
    """Whether the socket of the fork server is gone."""
    address = _multiprocessings_own()._forkserver_address
    return isinstance(address, str) and not address.startswith("\0") and not Path(address).exists()


def end_of_fork_server(forking: int | None = None, *, broken: bool = False) -> str | None:
    """Return how the fork server ended, `was killed by SIGKILL` for instance; None while there is one.

    Its guardian ends the same way a little later; it is waited for if the process `forking` has ended, or if
    there is none and a connection to it may have `broken`.
    """
    deadline = time.monotonic() + REPLACE_SECONDS
    while (found := _status()) is None and _is_ending(forking, broken=broken):
        if time.monotonic() > deadline:
            return UNKNOWN
        time.sleep(0.01)
    return found


def _is_ending(forking: int | None, *, broken: bool) -> bool:
    if forking is None and broken:
        forking = forking_process()
        return forking is None or is_leaving(forking)
    return forking is not None and is_leaving(forking)


def _status() -> str | None:
    pid = _known()
    if pid is None:
        return None
    try:
        # Multiprocessing collects the status.
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return UNKNOWN
    if ended is None:
        return None
    if ended.si_code == os.CLD_EXITED and ended.si_status == os.EX_OSERR:
        return f"could not start: {with_remedy(os.strerror(errno.EAGAIN))}"
    if ended.si_code == os.CLD_EXITED:
        return f"ended with status {ended.si_status}"
    return f"was killed by {signal_name(ended.si_status)}"


def signal_name(number: int) -> str:
    """Return the name of a signal, or `signal N` where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _known() -> int | None:
    """Return the process that multiprocessing has started as its fork server: a long-standing field."""
    pid: int | None = _multiprocessings_own()._forkserver_pid
    return pid


def _multiprocessings_own() -> Any:
    return forkserver._forkserver


def _forget() -> None:
    """Make multiprocessing forget a server whose status somebody else has collected: it cannot itself."""
    server = _multiprocessings_own()
    if server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)
    server._forkserver_address = server._forkserver_alive_fd = server._forkserver_pid = None


class ForkServerWatch:
    """Watch over the fork server during a run that was started from it."""

    def __init__(self) -> None:
        self.loss = ""
        """Loss of the fork server, one sentence; empty while there is none."""
        self._forking: int | None = None
        self._stopped: float | None = None

    def is_lost(self, *, ranks_awaited: bool, exits_awaited: bool, broken: bool = False) -> bool:
        """Return whether the run has lost its fork server; end one that is stopped while it is needed.

        `ranks_awaited`: whether ranks are still to be started; `exits_awaited`: whether all have ended, and
        the server is to tell how; `broken`: whether a connection broke that may have been the server's.
        """
        if self.loss:
            return True
        self._forking = self._forking or forking_process()
        if (end := end_of_fork_server(self._forking, broken=broken)) is not None:
            self.loss = f"{FORK_SERVER} {end}"
        elif not fork_server_is_stopped():
            self._stopped = None
        elif exits_awaited:
            end_fork_server()
        elif ranks_awaited:
            self._stopped = self._stopped or time.monotonic()
            if time.monotonic() - self._stopped > STOPPED_SECONDS:
                end_fork_server()
                self.loss = f"{FORK_SERVER} was stopped by a signal while it started them"
        return bool(self.loss)
