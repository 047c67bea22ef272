"""The process that session processes are forked from, so that torch is imported once for all of them.

`python nursery.py` reads a request a line: the session's folder, its environment, and the file to which its
exit status goes. It answers with the process's id. Ranks run the workers of ranks.py. What is started here is
what the program starts, but for the two imports of torch: that of the session process and of its fork server.

With JOURNAL_STALLS in the environment a session's disk takes so many seconds to write the first step; with
UNCOLLECTED it never collects cyclic garbage; with PLACELESS it finds a folder for temporary files only once;
with IMPORT_WAITS its first fork server imports without end; with GROWS tunes go on as growing.py says.
While a file `full` is beside its journal, its disk has only the space that the session reserved.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from multiprocessing import forkserver, util
from pathlib import Path

import growing
import torch.distributed.launcher.api  # noqa: F401
from gpubench_tui.engine.conductor import growth
from gpubench_tui.engine.conductor.__main__ import main
from gpubench_tui.engine.conductor.processes import preload, temporary
from gpubench_tui.engine.host.process import die_with_parent
from gpubench_tui.engine.record.events import Event, Steps
from gpubench_tui.engine.record.journal import Journal

append, write = Journal.append, Journal._write
spawn = util.spawnv_passfds


def serve() -> None:
    """Start a session for each request; return in each of their processes, with the session's folder."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for sessions
    for line in sys.stdin:
        request = json.loads(line)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_parent()
            pid = os.fork()
            if pid == 0:
                die_with_parent()
                sys.exit(be_session(request["folder"], request["environment"]))
            os.write(1, f"{pid}\n".encode())
            tell(Path(request["status"]), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            os._exit(0)


def tell(file: Path, status: int) -> None:
    new = file.with_suffix(".new")
    new.write_text(str(status))
    new.rename(file)


def be_session(folder: str, environment: dict[str, str]) -> int:
    """What `python -m gpubench_tui.engine.conductor FOLDER` does."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # which torch asked for
    util.spawnv_passfds = fork_server
    Journal.append, Journal._write = append_slowly, write_if_there_is_room
    if os.environ.pop("PLACELESS", ""):
        places = iter([True])
        temporary._has_room = lambda _: next(places, False)
    if os.environ.pop("GROWS", ""):
        growth._next_runs = growing.next_runs
    if os.environ.pop("UNCOLLECTED", ""):
        gc.disable()
    return main(folder, "ranks:work")


def fork_server(path: str, arguments: Sequence[bytes | str], kept: Sequence[int]) -> int:
    """Fork the fork server instead of having a new Python import torch; spawn anything else."""
    code = os.fsdecode(arguments[-1])
    if forkserver.__name__ not in code:
        return spawn(path, arguments, kept)
    waits = os.environ.pop("IMPORT_WAITS", "")
    pid = os.fork()
    if pid == 0:
        if waits:
            del sys.modules[preload.__name__]
            sys.meta_path.insert(0, WaitingFinder())
        close_all_but(0, 1, 2, *kept)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        tempfile.tempdir = None
        exec(code, {})
        os._exit(0)
    return pid


class WaitingFinder(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == preload.__name__:
            time.sleep(600)


def close_all_but(*kept: int) -> None:
    for file in {int(file.name) for file in Path("/dev/fd").iterdir()} - set(kept):
        with contextlib.suppress(OSError):  # that of the listing is closed
            os.close(file)


def append_slowly(journal: Journal, event: Event) -> None:
    if isinstance(event, Steps):
        time.sleep(float(os.environ.pop("JOURNAL_STALLS", "0")))
    append(journal, event)


def write_if_there_is_room(journal: Journal, line: bytes) -> None:
    folder = journal._path.parent
    if (folder / "full").exists() and (folder / "reserve").exists():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(journal._path))
    write(journal, line)


if __name__ == "__main__":
    serve()
