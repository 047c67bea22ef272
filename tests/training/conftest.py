from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

# So that the processes of ranks find by their names the modules here that do not begin with `test_`.
sys.path += [str(Path(__file__).parent), str(Path(__file__).parent / "trainings")]


@pytest.fixture(scope="session")
def ranks() -> ModuleType:
    """The module that starts ranks."""
    import ranks

    return ranks
