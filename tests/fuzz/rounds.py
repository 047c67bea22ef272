"""How long the fuzzers run: some fixed examples in CI, or new ones for FUZZ_SECONDS each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
ROUND = 500
"""Examples of a round: a run of FUZZ_SECONDS ends with the round in which they are over."""


def fuzz(examples: int, **inputs: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Check a property with so many examples, which are always the same, or for FUZZ_SECONDS."""

    def decorate(check: Callable[..., None]) -> Callable[[], None]:
        options = settings(
            max_examples=ROUND if SECONDS else examples,
            derandomize=not SECONDS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        tried = options(given(**inputs)(check))

        def property_holds() -> None:
            end = time.monotonic() + SECONDS
            tried()
            while time.monotonic() < end:
                tried()

        property_holds.__name__ = check.__name__
        property_holds.__doc__ = check.__doc__
        property_holds.__module__ = check.__module__
        return pytest.mark.timeout(600 + 2 * SECONDS)(property_holds)

    return decorate
