"""The rooms of the program keep apart: who may import whom, and who must never import torch or textual."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import pytest

TREE = Path(__file__).parent.parent
ROOMS = [
    "tui.cli",
    "tui",
    "engine.conductor",
    "engine.training",
    "engine.analysis",
    "engine.record",
    "engine.plan",
    "engine.host",
    "engine.statistics",
    "engine.text",
]
"""A room may use those after it, never those before."""

MODULES = sorted(path for top in ("engine", "tui", "presets") for path in (TREE / top).rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(TREE).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str | None:
    return next((room for room in ROOMS if module == room or module.startswith(room + ".")), None)


def imports(path: Path, at_run_time: bool = False) -> Iterator[str]:
    """Every module that a file imports, wherever in it; the program's own ones without `gpubench_tui.`."""
    package = path.relative_to(TREE).parent.parts
    tree = ast.parse(path.read_text())
    unused = {inner for node in ast.walk(tree) if is_for_types(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if at_run_time and node in unused:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *(node.module.split(".") if node.module else ())))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def strongly_connected(graph: Mapping[str, Set[str]]) -> list[list[str]]:
    """Tarjan's algorithm: modules from each of which all others of the group are imported in the end."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            place = stack.index(node)
            groups.append(stack[place:])
            del stack[place:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_rooms_use_only_those_below_them(path: Path) -> None:
    room = room_of(dotted(path))
    if room is None:
        return
    used = {room_of(module) for module in imports(path)} - {None, room}
    above = ROOMS[: ROOMS.index(room)]
    assert used.isdisjoint(above), f"{dotted(path)} uses {used.intersection(above)}"


def test_no_import_leads_back_to_where_it_came_from() -> None:
    """Imports inside functions count; those for the type checker alone do not."""
    names = {dotted(path) for path in MODULES}
    graph = {dotted(path): set(imports(path, at_run_time=True)) & names for path in MODULES}
    circles = [circle for circle in strongly_connected(graph) if len(circle) > 1]
    assert circles == []


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_torch_and_textual_stay_in_their_rooms(path: Path) -> None:
    module = dotted(path)
    tops = {name.partition(".")[0] for name in imports(path)}
    may_import_torch = module.startswith("engine.training.") or module == "engine.conductor.launch"
    if not may_import_torch:
        assert tops.isdisjoint({"torch", "torchvision", "numpy"})
    if not module.startswith("tui"):
        assert tops.isdisjoint({"textual", "rich", "plotext"})
    if module.startswith("engine.training."):
        assert "engine.record.journal" not in set(imports(path))


WIDGETS = {"textual.app", "textual.containers", "textual.screen", "textual.widget", "textual.widgets"}


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_what_renders_needs_no_app(path: Path) -> None:
    """Modules of `tui.render` hold functions that return text; what they import has no widgets either."""
    if not dotted(path).startswith("tui.render"):
        return
    used = set(imports(path))
    assert not {name for name in used if any(name == each or name.startswith(each + ".") for each in WIDGETS)}
    assert not {name for name in used if name.startswith(("tui.widgets", "tui.screens", "tui.app"))}


def test_the_terminal_program_never_loads_torch() -> None:
    program = (
        "import pkgutil, importlib, sys, gpubench_tui.tui as tui\n"
        "for module in pkgutil.walk_packages(tui.__path__, tui.__name__ + '.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "print(*sorted({'torch', 'numpy', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_session_that_is_no_tune_loads_no_diagnoses() -> None:
    program = (
        "import sys, gpubench_tui.engine.conductor.__main__, gpubench_tui.engine.conductor.resume\n"
        "rooms = [f'gpubench_tui.engine.analysis.{name}' for name in ('answers', 'diagnosis', 'tuning')]\n"
        "print(*sorted(set(rooms) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_package_is_installed() -> None:
    import tomllib

    declared = tomllib.loads((TREE / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    packages = {dotted(path) for path in MODULES if path.name == "__init__.py"}
    assert {name.removeprefix("gpubench_tui.") for name in declared} == packages
