from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from gpubench_tui.engine.host.facts import Host
from nvml_standin import Machine, build

INSPECT = """
import json, sys, msgspec
from gpubench_tui.engine.host import inspect
gpus, inspect.PATIENCE = json.loads(sys.argv[1]), float(sys.argv[2])
try:
    print(msgspec.json.encode(inspect.inspect_host(gpus)).decode())
except ValueError as error:
    sys.exit(f"ValueError: {error}")
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Inspect = Callable[..., Host]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


@pytest.fixture
def run(library: Path, machine: Machine) -> Run:
    """Run a script in a process of its own, on the stand-in's machine."""

    def run(
        script: str, *arguments: str, library: Path = library, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env=machine.environment(library, **environment),
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )

    return run


@pytest.fixture
def inspect(run: Run, machine: Machine) -> Inspect:
    """What `inspect_host` says on a machine of these lines."""

    def inspect(*lines: str, gpus: list[int] | None = None, patience: float = 30, **options: str) -> Host:
        machine.set(*lines)
        done = run(INSPECT, msgspec.json.encode(gpus).decode(), str(patience), **options)
        if done.returncode:
            raise ValueError(done.stderr.strip())
        return msgspec.json.decode(done.stdout, type=Host)

    return inspect
