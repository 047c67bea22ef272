"""A rank that compiles is not taken for hung: it says so as long as the compilation makes progress."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import cast

import pytest
import torch
from gpubench_tui.engine.record.events import PhaseChanged
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.reporter import Reporter
from gpubench_tui.engine.training.wrapping import compiling
from gpubench_tui.engine.training.wrapping.compiling import CompileHeartbeat

pytestmark = pytest.mark.slow

PATIENCE = 240.0
INTERVAL = 0.2


class Told:
    """A rank whose model is compiled, and what it has sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: queue.Queue = queue.Queue()
        monkeypatch.setattr(self.messages, "close", lambda: None, raising=False)
        self.reporter = Reporter("run", 0, time.monotonic(), cast("object", self.messages), CpuDevices())
        self.reporter.phase("warming up")
        self.heartbeat = CompileHeartbeat(self.reporter, INTERVAL)
        self.heartbeat.start()

    def notes(self) -> Iterator[PhaseChanged]:
        while True:
            yield from self.messages.get(timeout=PATIENCE)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    monkeypatch.setattr(compiling, "LEAST_SHARE", 0.2)  # of a short interval, in which clocks tick seldom
    rank = Told(monkeypatch)
    yield rank
    rank.heartbeat.end()


def burn(until: threading.Event) -> None:
    while not until.is_set():
        sum(range(10_000))


def in_file(name: str, call: Callable[[], object]) -> None:
    """Call something from a function that is defined in a file of that name."""
    scope: dict[str, Callable[[Callable[[], object]], None]] = {}
    exec(compile("def compile_it(call):\n    call()\n", name, "exec"), scope)
    scope["compile_it"](call)


def test_a_compilation_is_told_of_until_it_is_done(told: Told) -> None:
    enough = threading.Event()

    def backend(graph: torch.fx.GraphModule, _inputs: list[torch.Tensor]) -> Callable[..., object]:
        burn(enough)
        return graph.forward

    model = torch.compile(torch.nn.Linear(2, 2), backend=backend)
    step = threading.Thread(target=lambda: model(torch.ones(1, 2)), daemon=True)
    step.start()
    notes = told.notes()
    compiling = [note for _, note in zip(range(4), (n for n in notes if n.compiling), strict=False)]
    assert {(note.phase, note.note.rpartition(",")[0]) for note in compiling} == {
        ("warming up", "compiling the model")
    }
    enough.set()
    step.join(PATIENCE)
    done = next(note for note in notes if not note.compiling)
    assert (done.phase, done.note) == ("warming up", "")


def test_a_compilation_without_end_falls_silent(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "LONGEST_COMPILATION", 4 * INTERVAL)
    done = threading.Event()
    endless = threading.Thread(
        target=lambda: in_file("/x/torch/_dynamo/convert_frame.py", lambda: burn(done)), daemon=True
    )
    endless.start()
    notes = told.notes()
    assert next(note for note in notes if note.compiling)
    time.sleep(12 * INTERVAL)
    told.reporter.phase("measuring")
    later = list(takewhile(lambda note: note.phase != "measuring", notes))
    assert len([note for note in later if note.compiling]) < 4
    done.set()
    endless.join(PATIENCE)


@pytest.mark.parametrize(
    ("file", "waits"),
    [("/x/torch/_dynamo/convert_frame.py", True), ("/x/my/model.py", False)],
    ids=["a compiler that waits", "a model that loops"],
)
def test_what_makes_no_progress_is_silent(told: Told, file: str, waits: bool) -> None:
    done = threading.Event()
    work = done.wait if waits else lambda: burn(done)
    thread = threading.Thread(target=lambda: in_file(file, work), daemon=True)
    thread.start()
    time.sleep(8 * INTERVAL)
    done.set()
    thread.join(PATIENCE)
    told.reporter.phase("measuring")
    seen = []
    for note in told.notes():
        if note.phase == "measuring":
            break
        seen.append(note.compiling)
    assert sum(seen) <= (1 if waits else 0), "the first look has nothing to compare with"
