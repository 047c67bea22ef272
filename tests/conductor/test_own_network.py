"""Ranks on CPU cores talk where no other user can connect to them."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from building.sessions import CORES, spec
from gpubench_tui.engine.conductor.processes.own_network import VARIABLE, ask_for_own_network
from gpubench_tui.engine.plan.plan import Device, Plan, RunSpec
from gpubench_tui.engine.plan.workload.workload import Workload
from msgspec.structs import replace

SERVER = """
import socket, sys
from gpubench_tui.engine.conductor.processes.own_network import enter_own_network
moved = enter_own_network()
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
print(int(moved), server.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_nobody_outside_can_connect_to_a_process_in_its_own_network() -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        moved, port = map(int, server.stdout.readline().split())
        if not moved:
            pytest.skip("the system allows no network of its own")
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=10)
    finally:
        server.communicate()


GPU = replace(spec("01", "ddp", 2), devices=(Device("cuda", 0, "GPU 0"), Device("cuda", 1, "GPU 1")))


@pytest.mark.parametrize(
    ("run", "alone"),
    [
        (spec("01", "ddp", 2), True),
        (spec("01", "ddp", 2, workloads=[Workload(data="folder", data_dir="/data")]), True),
        (spec("01", "ddp", 2, workloads=[Workload(data="cifar10")]), False),
        (spec("01", "ddp", 2, workloads=[Workload(model="/home/net.py:net")]), False),
        (GPU, False),
    ],
)
def test_it_is_for_runs_that_need_no_other_network(run: RunSpec, alone: bool) -> None:
    plan = Plan(preset="p", title="t", question="q", devices=CORES[:2], runs=(run,))
    environment = {VARIABLE: "1"}
    ask_for_own_network(plan, environment)
    assert bool(environment[VARIABLE]) == alone
