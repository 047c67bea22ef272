"""Launch of a run's ranks by torch.distributed's elastic agent. The only module here that imports torch.

The agent runs in its own thread: it then leaves this process's signals alone, and if it ever waits for a
process that cannot be killed, the session goes on without it. The ranks are forks of the fork server, which
the main thread starts, so the kernel ends them with the session process and not with the agent's thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import logging
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..host.shortage import with_remedy
from ..text.plain import described
from .rank_entry import enter

if TYPE_CHECKING:
    from torch.distributed.elastic.rendezvous import RendezvousHandler, RendezvousParameters

    from ..plan.assignment import Assignment

BACKEND = "gpubench-tui"
LOOK_SECONDS = 0.02
"""Interval at which the agent checks the ranks once one of them has ended or finished."""
TORCH_LIBRARIES = ("libtorch_global_deps.so", "libtorch.so")
"""Largest libraries of torch; none holds code of Python's, which must not run while other threads do."""
IDLE_SECONDS = 1.0
"""Interval at which it checks them while all are working."""

logger = logging.getLogger(__name__)


class Launch(threading.Thread):
    """One elastic launch on this machine, from its start until the agent is done."""

    def __init__(
        self,
        worker: str,
        assignment: Assignment,
        queues: Sequence[Queue[Any]],
        born: Callable[[int, int], None],
        done: Callable[[], None],
    ) -> None:
        super().__init__(name="launch", daemon=True)
        self.error: str | None = None
        """Why the ranks could not be started, one sentence."""
        self.exits: dict[int, int] = {}
        """Exit codes by process id, complete once this thread is done; negative: the signal that ended it."""
        self.failed: dict[int, int] = {}
        """Process id of each rank that the agent saw fail; those of the other ranks may be unknown."""
        self.broken = False
        """Whether the launch failed by a broken connection, perhaps that to the fork server."""
        self._worker = worker
        self._assignment = assignment
        self._queues = queues
        self._born = born
        self._done = done
        self._processes: list[BaseProcess] = []
        self._look = threading.Event()
        self._left = threading.Event()

    def look(self) -> None:
        """Make the agent check the ranks often from now on, because one of them is about to end."""
        self._look.set()

    def leave(self) -> None:
        """Make the agent return, because no rank is left, whether or not it has noticed."""
        self._left.set()
        self._look.set()

    def run(self) -> None:
        """Launch and wait; never raises."""
        try:
            self._launch()
        except NoRankLeftError:
            pass
        except Exception as error:
            logger.exception("the launch of %s failed", self._assignment.run.id)
            self.error = f"the launch of the ranks failed: {with_remedy(described(error))}"
            self.broken = isinstance(error, EOFError | ConnectionError)
        finally:
            self._collect_exits()
            self._done()

    def at_look(self) -> None:
        """Wait before the next check; the agent calls this in its thread while all ranks are well."""
        # Only this thread may poll the processes: two threads that poll one process lose its exit code.
        if not self._processes:
            self._processes = list(multiprocessing.active_children())
            self._tell_births()
        if self._left.is_set():
            raise NoRankLeftError
        self._look.wait(IDLE_SECONDS)

    def _tell_births(self) -> None:
        """Tell the process id of each rank, which was started in the order of the ranks."""
        if len(self._processes) < self._assignment.run.world_size:
            return  # one has ended already, and the others cannot be told apart
        started = sorted(self._processes, key=lambda process: process._identity)
        for rank, process in enumerate(started):
            if process.pid is not None:
                self._born(rank, process.pid)

    def _collect_exits(self) -> None:
        """Note how the ranks ended, and close their pipes, so that a long plan does not collect them."""
        for process in self._processes:
            if process.pid and process.exitcode is not None:
                self.exits[process.pid] = process.exitcode
                process.close()

    def _launch(self) -> None:
        # Elastic asks how many GPUs there are; NVML can answer without a CUDA context in this process.
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
        if "torch" not in sys.modules:
            load_libraries(torch_libraries())
        from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
        from torch.distributed.launcher.api import LaunchConfig, elastic_launch

        # The watchdog explains the agent's messages (no signal handlers here, a rank was killed) better, and
        # to format them torch imports its compiler, which takes a second.
        for name in ("torch.distributed.elastic", "torch.multiprocessing"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        run = self._assignment.run
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=run.world_size,
            run_id=run.id,
            role="rank",
            rdzv_backend=BACKEND,
            rdzv_endpoint="here",
            rdzv_configs={"handler": _make_handler(run.id, self.at_look)},
            max_restarts=0,
            monitor_interval=LOOK_SECONDS,
            start_method="forkserver",
            logs_specs=DefaultLogsSpecs(log_dir=self._assignment.rendezvous),
            local_addr="localhost",
        )
        try:
            elastic_launch(config, enter)(self._worker, self._assignment, list(self._queues))
        except ChildFailedError as error:  # the watchdog finds out why
            self.failed = {rank: failure.pid for rank, failure in error.failures.items()}
            self.exits = {failure.pid: failure.exitcode for failure in error.failures.values()}


def torch_libraries() -> list[Path]:
    """Return torch's largest libraries, in the order in which its import loads them; none where unknown."""
    spec = importlib.util.find_spec("torch")
    folders = (spec.submodule_search_locations if spec is not None else None) or []
    return [Path(folder) / "lib" / name for folder in folders for name in TORCH_LIBRARIES]


def load_libraries(libraries: Iterable[Path]) -> None:
    """Load libraries so that other threads go on meanwhile, and ignore those that cannot be loaded.

    An import keeps all other threads waiting while it loads: on a cold disk half a minute, in which the
    session would hear no request. So does `ctypes.CDLL`, but not a function that is called through it.
    """
    with contextlib.suppress(AttributeError, OSError):  # a system without it
        load = ctypes.CDLL(None).dlopen
        load.restype = ctypes.c_void_p
        for library in libraries:
            load(os.fsencode(library), os.RTLD_NOW)


class NoRankLeftError(Exception):
    """All ranks are gone, and the agent need not wait for them."""


def _create_handler(parameters: RendezvousParameters) -> RendezvousHandler:
    handler: RendezvousHandler = parameters.get("handler")
    return handler


def _make_handler(run_id: str, at_look: Callable[[], None]) -> RendezvousHandler:
    """Return a rendezvous of one agent: no port, no file, no delay (elastic's own waits up to 0.3 s)."""
    from torch.distributed import HashStore  # type: ignore[attr-defined]
    from torch.distributed.elastic.rendezvous import (
        RendezvousHandler,
        RendezvousInfo,
        RendezvousStoreInfo,
        rendezvous_handler_registry,
    )

    class Handler(RendezvousHandler):
        def get_backend(self) -> str:
            return BACKEND

        def next_rendezvous(self) -> RendezvousInfo:
            return RendezvousInfo(HashStore(), 0, 1, RendezvousStoreInfo("localhost", 0))

        def is_closed(self) -> bool:
            return False

        def set_closed(self) -> None:
            pass

        def num_nodes_waiting(self) -> int:
            at_look()
            return 0

        def get_run_id(self) -> str:
            return run_id

        def shutdown(self) -> bool:
            return True

    rendezvous_handler_registry.register(BACKEND, _create_handler)
    return Handler()
