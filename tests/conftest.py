"""What all tests share: cheap processes, and an order in which no worker is left alone with long tests."""

from __future__ import annotations

import gc
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

# Tests start hundreds of Python processes: where no compiled files are kept, each compiles the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Small tensors gain nothing from several threads, which spin while they wait for one another and so take the
# processors from other tests. Ranks choose their threads themselves.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # else a pool of processes, which import torch, is started

# All that collection creates lives to the end. To look for garbage in it takes longer than to create it.
gc.disable()


@pytest.fixture(scope="session", autouse=True)
def state_folder_of_worker(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is made once for several tests has a register of sessions of its own, too."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a register of sessions of its own: none is in the way of another's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests that are marked long, too")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have no worker that crashed replaced: xdist 3.8 may wait for ever after that."""
    if config.pluginmanager.has_plugin("xdist"):
        config.option.maxworkerrestart = "0"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long tests out unless they are wanted, and let workers begin with the slow ones."""
    if not config.getoption("--long"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        if "ranks" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a worker one test at a time, or a group: xdist's own groups are lost on pytest 9.2 and later."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(config.rootpath / nodeid.partition("::")[0]) or nodeid

    return GroupScheduling(config, log)


@cache
def group_of(file: Path) -> str | None:
    """Return the group of a file's tests: one that it names, or one of its own if they share fixtures."""
    text = file.read_text(encoding="utf-8")
    if (named := re.search(r"xdist_group\(\"(.*?)\"\)", text)) is not None:
        return named[1]
    return str(file) if re.search(r"scope=\"(module|class|package)\"", text) else None


def pytest_collection_finish() -> None:
    """Look for garbage from now on, except in what collection created."""
    gc.freeze()
    gc.enable()
