"""What the launch of a run says of a failure of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from gpubench_tui.engine.conductor.launch import Launch, torch_libraries
from gpubench_tui.engine.plan.assignment import Assignment

from .conftest import PATIENCE, run_spec

SLOW_LIBRARY = """
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void wait_for_word(void) {
    char word;
    int file = open(getenv("WAITS_FOR"), O_RDONLY);
    if (read(file, &word, 1) == 1) puts("loaded");
    fflush(stdout);
}
"""
LOADING = """
import os, sys, threading
from gpubench_tui.engine.conductor.launch import load_libraries
thread = threading.Thread(target=load_libraries, args=[sys.argv[1:]])
thread.start()
with open(os.environ["WAITS_FOR"], "w") as file:
    file.write("x")
thread.join()
"""


def test_other_threads_go_on_while_torchs_libraries_are_loaded(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("needs Linux and a C compiler")
    source, library, pipe = tmp_path / "slow.c", tmp_path / "slow.so", tmp_path / "pipe"
    source.write_text(SLOW_LIBRARY)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    os.mkfifo(pipe)
    done = subprocess.run(
        [sys.executable, "-c", LOADING, tmp_path / "missing.so", library],
        env={**os.environ, "WAITS_FOR": str(pipe)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr
    assert torch_libraries() and all(map(Path.exists, torch_libraries()))


@pytest.mark.parametrize("error", [EOFError, ConnectionResetError])
def test_a_broken_connection_is_not_taken_for_the_loss_of_the_fork_server(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Launch) -> None:
        raise error

    monkeypatch.setattr(Launch, "_launch", fail)
    done: list[bool] = []
    assignment = Assignment(run=run_spec(0, "ddp"), started=0.0, logs="", rendezvous="", cache="")
    launch = Launch("none", assignment, [], born=lambda *_: None, done=lambda: done.append(True))
    launch.run()
    assert (launch.error, done) == (f"the launch of the ranks failed: {error.__name__}", [True])
