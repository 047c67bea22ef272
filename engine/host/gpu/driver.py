"""The NVIDIA driver, asked by way of a process of its own: it may hang or abort, and ends nothing else.

A machine without the driver's library pays for no process.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import msgspec
from msgspec import Struct

from ..facts import Gpu, GpuSample, Link

LIBRARY = "libnvidia-ml.so.1"
LINKER_CACHE = Path("/etc/ld.so.cache")
LIBRARY_FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")


class Survey(Struct):
    """Facts of this machine from NVML."""

    gpus: list[Gpu] = []
    """Usable GPUs."""
    count: int = 0
    """Number of GPUs in the machine."""
    links: tuple[Link, ...] = ()
    driver: str | None = None
    driver_cuda: str | None = None
    notes: list[str] = []


class Samples(Struct):
    """A sample of each GPU."""

    gpus: list[GpuSample]
    notes: list[str] = []
    """Functions that the driver was found to lack."""
    ages: list[float | None] = []
    """Age of each sample in s; None for a GPU that has not answered yet."""
    took: list[float] = []
    """Seconds that it took to take each sample."""


class Question(Struct):
    """A question to the process that asks NVML: for a survey of the machine, unless it names GPUs."""

    sampled: Sequence[Gpu] | None = None
    """GPUs to sample."""
    patience: float = 0.0
    """Seconds for which to wait for the other GPUs when the first has answered."""
    counted: Sequence[Gpu] | None = None
    """GPUs whose counters of energy to read."""


class Reply(Struct):
    """The answer to a question."""

    survey: Survey | None = None
    samples: Samples | None = None
    joules: list[float | None] | None = None
    """Energy that each GPU has used since the driver was loaded, in J; None where it is not told."""
    refusal: str = ""
    """Reason why NVML cannot be used, one sentence; empty if it can."""
    failure: str = ""
    """Error of this program that kept it from answering; empty if there was none."""


class DriverError(Exception):
    """The driver has given no answer; the message says why."""

    def __init__(self, message: str, is_missing: bool = False) -> None:
        super().__init__(message)
        self.is_missing = is_missing
        """Whether there is no driver to be asked, so that asking again is of no use."""


class Driver:
    """The process that asks NVML, started with the first question. One thread asks; any may close it."""

    running: ClassVar[set[int]] = set()
    """Ids of the processes of all drivers that may still run."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._asking = False
        self._received = b""

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def survey(self, seconds: float) -> Survey:
        """Return the survey of the machine; raises `DriverError` if there is none within these seconds."""
        return self._ask(Question(), seconds).survey or Survey()

    def sample(self, gpus: Sequence[Gpu], seconds: float, patience: float = 0.0) -> Samples:
        """Return the newest sample of each GPU, once one has answered; raises `DriverError` if none does.

        None of them has answered after `seconds`; the others are waited for `patience` seconds longer.
        """
        question = Question(sampled=_named(gpus), patience=patience)
        return self._ask(question, seconds + patience).samples or Samples([])

    def joules(self, gpus: Sequence[Gpu], seconds: float) -> list[float | None]:
        """Return the counter of energy of each GPU, in J; raises `DriverError` like `sample`."""
        return self._ask(Question(counted=_named(gpus)), seconds).joules or [None] * len(gpus)

    def start(self) -> None:
        """Start the process ahead of the first question; raises `DriverError`."""
        self._started()
        self._asking = False

    def close(self) -> None:
        """End the process, whatever it is doing; who waits for its answer gets a `DriverError`."""
        with self._lock:
            self._closed = True
            process, asking = self._process, self._asking
        if process is not None:
            _kill(process)
            if not asking:
                _close_pipes(process)

    def _ask(self, question: Question, seconds: float) -> Reply:
        process = self._started()
        try:
            answer = self._exchange(process, question, seconds)
        except (DriverError, msgspec.MsgspecError) as error:
            _kill(process)
            _close_pipes(process)
            if isinstance(error, msgspec.MsgspecError):
                raise DriverError(f"the NVIDIA driver gave an invalid answer: {error}") from None
            raise
        finally:
            self._asking = False
        if answer.refusal or answer.failure:
            raise DriverError(answer.refusal or answer.failure, is_missing=bool(answer.refusal))
        return answer

    def _exchange(self, process: subprocess.Popen[bytes], question: Question, seconds: float) -> Reply:
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(question) + b"\n")
            process.stdin.flush()
            line = self._read_line(process, time.monotonic() + seconds)
        except OSError:  # it has ended
            line = b""
        if line is None:
            raise DriverError(f"the NVIDIA driver did not answer within {seconds:.0f} s")
        if not line:
            _kill(process)
            raise DriverError(f"the process that queries the NVIDIA driver {_ending(process)}")
        return msgspec.json.decode(line, type=Reply)

    def _started(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise DriverError("the NVIDIA driver is no longer queried")
            if self._process is None:
                self._process = _start()
            self._asking = True
            return self._process

    def _read_line(self, process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
        """Return the next line; None if there is none until the deadline, b"" if there will be none."""
        assert process.stdout is not None
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN)
        while b"\n" not in self._received:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                return None
            part = os.read(process.stdout.fileno(), 1 << 16)
            if not part:
                return b""
            self._received += part
        line, _, self._received = self._received.partition(b"\n")
        return line


def _named(gpus: Sequence[Gpu]) -> list[Gpu]:
    """Return what identifies these GPUs, without their other facts."""
    return [Gpu(index=gpu.index, uuid=gpu.uuid, name=gpu.name) for gpu in gpus]


def _start() -> subprocess.Popen[bytes]:
    if not is_library_present():
        raise DriverError(f"no NVIDIA driver is installed: {LIBRARY} was not found", is_missing=True)
    try:
        process = subprocess.Popen(
            # -P: a file in the working directory must not shadow a module
            [sys.executable, "-P", "-m", __package__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise DriverError(f"the process that queries the NVIDIA driver cannot be started: {error}") from None
    Driver.running.add(process.pid)
    return process


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process; one that is stuck in the kernel is left to it."""
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.5)
        Driver.running.discard(process.pid)


def _ending(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return "has ended"


def is_library_present() -> bool:
    """Return whether the loader would find the driver's library, without loading it."""
    named = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    if any((Path(folder) / LIBRARY).exists() for folder in (*filter(None, named), *LIBRARY_FOLDERS)):
        return True
    with suppress(OSError):
        return LIBRARY.encode() in LINKER_CACHE.read_bytes()
    return False
