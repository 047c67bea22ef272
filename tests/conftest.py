"""What all tests share: cheap processes, and an order in which no worker is left alone with long tests."""

from __future__ import annotations

import gc
import os
import sys

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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests that are marked long, too")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long tests out; keep tests together that share a module's fixture; begin with the slow ones."""
    if not config.getoption("--long"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        if "ranks" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
        if shares_fixtures(item) and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def shares_fixtures(item: pytest.Item) -> bool:
    """Return whether a test uses what a fixture makes once for several tests of a module."""
    if not isinstance(item, pytest.Function):
        return False
    overriding = (definitions[-1] for definitions in item._fixtureinfo.name2fixturedefs.values())
    return any(definition.scope in ("class", "module", "package") for definition in overriding)


def pytest_collection_finish() -> None:
    """Look for garbage from now on, except in what collection created."""
    gc.freeze()
    gc.enable()
