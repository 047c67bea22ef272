"""Sources are parsed in several threads of the app at once."""

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from gpubench_tui.engine.text.python_source import parse_python, source_of_class

NESTED = "value = [1, [2, [3, [4]]]]\n" * 200


@pytest.fixture
def switching_threads() -> Iterator[None]:
    """Threads take turns within a call of the parser, as they do when its objects are collected."""

    def give_way(_phase: str, _info: dict[str, int]) -> None:
        time.sleep(1e-4)

    thresholds = gc.get_threshold()
    gc.callbacks.append(give_way)
    gc.set_threshold(20)
    yield
    gc.set_threshold(*thresholds)
    gc.callbacks.remove(give_way)


@pytest.mark.usefixtures("switching_threads")
def test_threads_may_parse_at_the_same_time() -> None:
    with ThreadPoolExecutor(4) as threads:
        trees = list(threads.map(parse_python, [NESTED] * 24))
    assert {len(tree.body) for tree in trees} == {200}


def test_the_source_of_a_class() -> None:
    assert source_of_class(pytest.MonkeyPatch).startswith("@final\nclass MonkeyPatch:")
