"""Textual's private names: used in one module, checked with this version, never shadowed by chance."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import pkgutil
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest
from gpubench_tui import tui
from gpubench_tui.tui.terminal import textual_internals
from gpubench_tui.tui.terminal.textual_internals import CHECKED_VERSIONS, CompositorUpdate
from rich.text import Text
from textual import on
from textual._xterm_parser import XTermParser
from textual.app import App, ComposeResult
from textual.content import Content
from textual.css.query import NoMatches
from textual.drivers.linux_driver import LinuxDriver
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Button, Header, Label, Static

TREE = Path(__file__).parents[3]
MODULES = sorted((TREE / "tui").rglob("*.py"))
INTERNALS = TREE / "tui/terminal/textual_internals.py"
LOOK = "look at each use in tui/terminal/textual_internals.py, run its tests, then add the version there"


def minor(text: str) -> str:
    return ".".join(text.split(".")[:2])


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_the_uses_were_checked_with_the_installed_textual() -> None:
    assert minor(version("textual")) in CHECKED_VERSIONS, LOOK


def test_the_versions_checked_are_those_that_the_project_names() -> None:
    (pinned,) = (
        line.removeprefix("textual==")
        for line in (TREE / "constraints.txt").read_text().splitlines()
        if line.startswith("textual==")
    )
    assert minor(pinned) in CHECKED_VERSIONS, LOOK
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
    (accepted,) = (entry for entry in project["dependencies"] if entry.startswith("textual"))
    assert accepted == "textual>=8,<9"
    assert {checked.partition(".")[0] for checked in CHECKED_VERSIONS} == {"8"}


def test_the_private_names_are_there() -> None:
    assert list(inspect.signature(App._display).parameters) == ["self", "screen", "renderable"]
    assert list(inspect.signature(App._handle_exception).parameters) == ["self", "error"]
    assert list(inspect.signature(Screen._on_resize).parameters) == ["self", "event"]
    assert inspect.iscoroutinefunction(Screen._on_resize)
    assert list(inspect.signature(CompositorUpdate.render_segments).parameters) == ["self", "console"]
    Widget()._styles_cache.clear()
    queue = MessagePump()._message_queue
    assert queue.empty() and not queue.ready_event._waiters
    assert (MessagePump()._closed, MessagePump()._closing, Screen()._callbacks) == (False, False, [])
    assert {"_key_thread", "start_application_mode"} <= attributes_of(LinuxDriver)
    assert {"_driver", "_exit"} <= vars(App()).keys()
    assert list(inspect.signature(XTermParser.feed).parameters) == ["self", "data"]


@pytest.mark.parametrize(
    ("bytes_", "keys"),
    [
        ("\x1bq", ["escape", "q"]),
        ("a\x1b/b", ["a", "escape", "slash", "b"]),
        ("\x1b\x1b\r", ["escape", "escape", "enter"]),
        ("\x1b[A\x1bOBz", ["up", "down", "z"]),
        ("\x1b[Z\x1b\t", ["shift+tab", "shift+tab"]),
        ("\x1bb\x1bf", ["ctrl+left", "ctrl+right"]),
        ("\x1b[27ux", ["escape", "x"]),
    ],
)
def test_escape_and_another_key_at_once_are_two_keys(bytes_: str, keys: list[str]) -> None:
    textual_internals.tell_escape_from_alt()
    assert [event.key for event in XTermParser().feed(bytes_)] == keys


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TREE)))
def test_only_one_module_uses_private_names(path: Path) -> None:
    if path == INTERNALS:
        return
    private = {name for kind in (App, Screen, Widget) for name in dir(kind) if is_private(name)}
    private |= {"_compositor", "_styles_cache"}  # of instances alone
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual"):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            assert not any(map(is_private, names)), f"{path}:{node.lineno}"
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            assert node.attr not in private, f"{path}:{node.lineno}: {ast.unparse(node)}"


async def test_control_characters_in_any_text_of_a_widget_are_shown() -> None:
    hostile = "a\x1b[2J\x9b\udcff"

    class Hostile(App[None]):
        TITLE = hostile

        def compose(self) -> ComposeResult:
            yield Header()
            yield Static(hostile, markup=False)
            yield Static(Content.assemble(("styled ", "bold"), hostile))
            yield Static(f"[b]{hostile.replace('[', '')}[/b]")
            yield Label(Text(hostile))

    textual_internals.show_control_characters()
    app = Hostile()
    async with app.run_test() as pilot:
        app.notify(hostile, title=hostile, markup=False)
        await pilot.pause()
        await pilot.pause()
        lines = [strip.text for strip in app.screen._compositor.render_strips()]
    shown = "\n".join(lines)
    assert all(line.isprintable() for line in lines)
    assert shown.count(r"a\x1b[2J\x9b\xff") >= 4
    assert r"a\x1b2J\x9b\xff" in shown


class Asks(Screen[None]):
    """A screen that gets its answer when `is_late` says so, and then looks for a widget that is gone."""

    def __init__(self, is_late: Callable[[Screen[None], App[int]], bool]) -> None:
        super().__init__()
        self._is_late = is_late
        self.asked, self.answered = asyncio.Event(), asyncio.Event()

    @on(Button.Pressed)
    async def answer(self) -> None:
        self.asked.set()
        app = self.app
        while not self._is_late(self, app):
            await asyncio.sleep(0.01)
        self.answered.set()
        self.query_one("#gone")


@pytest.mark.parametrize(
    ("is_late", "close"),
    [
        (lambda screen, app: screen not in app.screen_stack, lambda app: app.pop_screen()),
        (lambda screen, app: app._exit, lambda app: app.exit()),
    ],
    ids=["the screen is closed", "the app ends"],
)
async def test_an_answer_that_comes_too_late_is_no_error(
    is_late: Callable[[Screen[None], App[int]], bool], close: Callable[[App[int]], object]
) -> None:
    app = textual_internals.FilteringApp()
    async with app.run_test():
        screen = Asks(is_late)
        await app.push_screen(screen)
        screen.post_message(Button.Pressed(Button()))
        await screen.asked.wait()
        close(app)
        await screen.answered.wait()
    assert app._exception is None


async def test_an_error_of_an_open_screen_is_one() -> None:
    app = textual_internals.FilteringApp()
    with pytest.raises(NoMatches):
        async with app.run_test():
            screen = Asks(lambda *_: True)
            await app.push_screen(screen)
            screen.post_message(Button.Pressed(Button()))
            await app._exception_event.wait()


def our_classes() -> Iterator[type]:
    for module in pkgutil.walk_packages(tui.__path__, f"{tui.__name__}."):
        if not module.name.endswith("__main__"):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and value.__module__ == module.name:
                    yield value


def attributes_of(kind: type) -> set[str]:
    """Return the names that the source of a class defines, or assigns to its instances."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return functions | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@cache
def attributes(kind: type) -> frozenset[str]:
    """Return the private names that the source of a class defines, or assigns to its instances."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    names = set()
    for node in ast.walk(definition):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr if ast.unparse(node.value) == "self" else "")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return frozenset(filter(is_private, names))


def test_no_class_shadows_a_private_name_of_textual() -> None:
    """The base class would use an attribute of ours as its own."""
    shadowed = []
    for ours in our_classes():
        if issubclass(ours, MessagePump) and ours.__module__ != textual_internals.__name__:
            for base in ours.__mro__:
                if base.__module__.startswith("textual."):
                    shadowed += [f"{ours.__name__}.{name}" for name in attributes(ours) & attributes(base)]
    assert shadowed == []
