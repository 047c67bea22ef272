"""Leaving at once: threads that hang in a call keep neither the event loop nor the process alive."""

from __future__ import annotations

import concurrent.futures
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

LEAVE_SECONDS = 1.0
"""Time for threads to end what they are doing, such as writing a file."""
THREAD_NAME = "app worker"

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class LeavableExecutor(ThreadPoolExecutor):
    """Threads for the event loop, which waits only a moment for them at its end."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix=THREAD_NAME)
        self._begun: set[Future[Any]] = set()

    def submit(
        self, function: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Call the function in a thread."""
        future = super().submit(function, *args, **kwargs)
        self._begun.add(future)
        future.add_done_callback(self._begun.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and wait at most `LEAVE_SECONDS` for those under way."""
        super().shutdown(wait=False, cancel_futures=cancel_futures or wait)
        if wait:
            concurrent.futures.wait(set(self._begun), timeout=LEAVE_SECONDS)


def leave_threads(status: int) -> None:
    """End this process with the status if threads are left, for which Python would wait."""
    if any(thread.name.startswith(THREAD_NAME) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
