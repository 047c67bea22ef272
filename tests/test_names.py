"""One name means one thing everywhere in the product, and docstrings name their subject."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

TREE = Path(__file__).parent.parent
MODULES = sorted(path for top in ("engine", "tui") for path in (TREE / top).rglob("*.py"))

SHARED = {
    "main": "the entry point of a program, of which there are two: the session process and the command",
}
"""Classes and public functions that several modules define, each with its reason."""

VAGUE = re.compile(r"(What|Those|Who|How|It|Its|They|Their|That|All of)\b")
"""First words of a docstring that point elsewhere where the thing itself ought to be named."""


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(TREE).with_suffix("").parts).removesuffix(".__init__")


def definitions(path: Path) -> Iterator[str]:
    """The classes and public functions of a module."""
    for node in ast.parse(path.read_text()).body:
        kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node.name


@pytest.fixture(scope="module")
def shared() -> dict[str, list[str]]:
    """The names that several modules define, and those modules."""
    places = defaultdict(list)
    for path in MODULES:
        for name in definitions(path):
            places[name].append(dotted(path))
    return {name: modules for name, modules in places.items() if len(modules) > 1}


def test_no_name_means_two_things(shared: dict[str, list[str]]) -> None:
    new = {name: modules for name, modules in shared.items() if name not in SHARED}
    assert not new, "rename one of each, or where they are one concept add the name to SHARED with the reason"


def test_no_exception_outlives_its_cause(shared: dict[str, list[str]]) -> None:
    stale = SHARED.keys() - shared.keys()
    assert not stale, "only one module defines these by now: take them out of SHARED"


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring, those of fields and constants included."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Expr(ast.Constant(str(text))):
                yield node.lineno, text.strip()


def package_of(path: Path) -> str:
    return dotted(path.parent)


@pytest.mark.parametrize("package", sorted({package_of(path) for path in MODULES}))
def test_docstrings_name_their_subject(package: str) -> None:
    vague = [
        f"{path.relative_to(TREE)}:{line}: {text.splitlines()[0]}"
        for path in MODULES
        if package_of(path) == package
        for line, text in docstrings(path)
        if VAGUE.match(text)
    ]
    assert not vague, "\n".join(vague)
