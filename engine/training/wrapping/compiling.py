"""Heartbeat of a rank that compiles its model, which may take longer than a rank may be silent."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable
from types import FrameType

import psutil

from ...record.silence import LONGEST_COMPILATION
from ..reporter import Reporter

INTERVAL = 5.0
"""Seconds between two checks of the threads."""
LEAST_SHARE = 0.02
"""CPU time between two checks, as a share of one core, above which a compilation is making progress."""
COMPILERS = {
    "torch/_dynamo/convert_frame.py": "",
    "torch/_inductor/async_compile.py": "",
    "torch/_inductor/compile_fx.py": "compile",
    "triton/compiler/compiler.py": "",
}
"""File of a function that runs only while something is compiled, and a part of such a function's name."""


class CompileHeartbeat(threading.Thread):
    """Reports progress while this process compiles, as long as it or its children use the CPU.

    A backward pass is compiled in whichever thread runs it, and a new shape in any phase: all threads are
    therefore checked for as long as the rank lives. A check takes about 50 us.
    """

    def __init__(self, reporter: Reporter, interval: float = INTERVAL) -> None:
        super().__init__(name="compile heartbeat", daemon=True)
        self._reporter = reporter
        self._interval = interval
        self._process = psutil.Process()
        self._ended = threading.Event()

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()

    def run(self) -> None:
        """Check the threads at intervals until the rank ends."""
        since: float | None = None
        used = 0.0
        while not self._ended.wait(self._interval):
            if not is_compiling(sys._current_frames().values()):
                if since is not None:
                    self._reporter.remark("", compiling=False)
                since = None
                continue
            before, used = used, self._cpu_seconds()
            if since is None:
                since = time.monotonic() - self._interval
            # Children that end take their time with them, unless their parent has waited for them.
            elif abs(used - before) < LEAST_SHARE * self._interval:
                continue
            seconds = time.monotonic() - since
            if seconds > LONGEST_COMPILATION:
                continue
            self._reporter.remark(f"compiling the model, {seconds:.0f} s", compiling=True)

    def _cpu_seconds(self) -> float:
        """Return the CPU time of this process without this thread, and of its descendants, in seconds."""
        total = -time.thread_time()
        for process in (self._process, *self._process.children(recursive=True)):
            try:
                total += sum(process.cpu_times()[:4])
            except psutil.Error:
                continue
        return total


def is_compiling(stacks: Iterable[FrameType]) -> bool:
    """Return whether a compiler is on one of the stacks, given by their innermost frames."""
    for innermost in stacks:
        frame: FrameType | None = innermost
        while frame is not None:
            code = frame.f_code
            for file, name in COMPILERS.items():
                if code.co_filename.endswith(file) and name in code.co_name:
                    return True
            frame = frame.f_back
    return False
