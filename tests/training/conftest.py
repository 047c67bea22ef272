from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = str(Path(__file__).parent)


@pytest.fixture(scope="session")
def ranks() -> ModuleType:
    """The module that starts ranks; by its name the started processes find it too."""
    if HERE not in sys.path:
        sys.path.append(HERE)
    import ranks

    return ranks
