"""Work beside the event loop, in threads and tasks: a failure is said on the screen and ends nothing else."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from textual.app import App
from textual.dom import DOMNode
from textual.worker import Worker

from ..engine.text.plain import described

Node = TypeVar("Node", bound=DOMNode)
Arguments = ParamSpec("Arguments")

Starter = Callable[Concatenate[Node, Arguments], "Worker[None]"]
"""A method that starts a worker and returns it."""

FEED = "feed "
"""Begin of the group of workers that go on by themselves, and that no key waits for."""


def in_task(
    doing: str,
) -> Callable[[Callable[Concatenate[Node, Arguments], Coroutine[Any, Any, None]]], Starter[Node, Arguments]]:
    """Have an asynchronous method run in a task; `doing` names it in the message of its failure."""

    def decorate(
        method: Callable[Concatenate[Node, Arguments], Coroutine[Any, Any, None]],
    ) -> Starter[Node, Arguments]:
        @wraps(method)
        def start(node: Node, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Worker[None]:
            app = node.app

            async def run() -> None:
                try:
                    await method(node, *args, **kwargs)
                except Exception as error:
                    say_failure(app, doing, error)

            return node.run_worker(run, name=method.__name__)

        return start

    return decorate


def in_thread(
    doing: str, *, feed: bool = False, exclusive: bool = False
) -> Callable[[Callable[Concatenate[Node, Arguments], None]], Starter[Node, Arguments]]:
    """Have a method run in a thread; `doing` names it in the message of its failure.

    `feed`: it goes on by itself, and no key waits for it; `exclusive`: it cancels the one started before it.
    """

    def decorate(method: Callable[Concatenate[Node, Arguments], None]) -> Starter[Node, Arguments]:
        @wraps(method)
        def start(node: Node, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Worker[None]:
            app = node.app

            def run() -> None:
                try:
                    method(node, *args, **kwargs)
                except Exception as error:
                    say_failure(app, doing, error)

            name = method.__name__
            group = f"{FEED if feed else ''}{name}"
            return node.run_worker(run, name=name, group=group, exclusive=exclusive, thread=True)

        return start

    return decorate


def say_failure(app: App[Any], doing: str, error: Exception) -> None:
    """Say on the screen that something failed, and why; may be called in any thread."""
    app.notify(f"{doing.capitalize()} failed: {described(error)}", severity="error", timeout=15, markup=False)


def is_feed(worker: Worker[Any]) -> bool:
    """Return whether the worker goes on by itself, and no key waits for it."""
    return worker.group.startswith(FEED)
