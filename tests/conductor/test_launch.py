"""What the launch of a run says of a failure of its own."""

from __future__ import annotations

import pytest
from gpubench_tui.engine.conductor.launch import Launch
from gpubench_tui.engine.plan.assignment import Assignment

from .conftest import run_spec


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
