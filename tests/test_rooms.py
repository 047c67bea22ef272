"""The rooms of the program keep apart: who may import whom, and who must never import torch or textual."""

import ast
import subprocess
import sys
from collections.abc import Iterator
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


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it; the program's own ones without `gpubench_tui.`."""
    package = path.relative_to(TREE).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *(node.module.split(".") if node.module else ())))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_rooms_use_only_those_below_them(path: Path) -> None:
    room = room_of(dotted(path))
    if room is None:
        return
    used = {room_of(module) for module in imports(path)} - {None, room}
    above = ROOMS[: ROOMS.index(room)]
    assert used.isdisjoint(above), f"{dotted(path)} uses {used.intersection(above)}"


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


def test_the_terminal_program_never_loads_torch() -> None:
    program = (
        "import pkgutil, importlib, sys, gpubench_tui.tui as tui\n"
        "for module in pkgutil.walk_packages(tui.__path__, tui.__name__ + '.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "print(*sorted({'torch', 'numpy', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_package_is_installed() -> None:
    import tomllib

    declared = tomllib.loads((TREE / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    packages = {dotted(path) for path in MODULES if path.name == "__init__.py"}
    assert {name.removeprefix("gpubench_tui.") for name in declared} == packages
