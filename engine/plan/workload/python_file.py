"""A user's own Python file as it is written: its names and functions, found without running it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...text.files import is_file, read_whole
from ...text.python_source import parse_python

_DYNAMIC = {"*", "__getattr__", "globals", "locals", "exec", "sys.modules"}
"""Words in a file whose names may be known only once it has been imported."""
_OPAQUE = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


@dataclass(frozen=True)
class Source:
    """The names that a file binds."""

    names: Mapping[str, bool] | None
    """Whether each is a function or class; None where only the file's import can tell its names."""
    functions: Mapping[str, ast.FunctionDef]
    """Functions without decorators that are the only thing of their name."""
    constants: Mapping[str, tuple[object, int]]
    """Value and line of each name that is bound once, to a literal."""
    used: frozenset[str]
    """Names that the file reads."""


class SourceError(Exception):
    """A file that cannot be read as Python, in a phrase that names it."""


def read_source(file: Path) -> Source:
    """Read a file. Raises SourceError."""
    if not is_file(file):
        raise SourceError(f"no file {file}")
    try:
        status = file.stat()
        return _source_of(str(file), status.st_mtime_ns, status.st_size)
    except SyntaxError as error:
        where = f"{error.filename}:{error.lineno}" if error.lineno else f"{file}"
        raise SourceError(f"{where}: {type(error).__name__}: {error.msg}") from None
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{file} cannot be read as Python: {reason}") from None


def signature_of(function: ast.FunctionDef) -> inspect.Signature:
    """Return the signature of a function; the values of its defaults are left out."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    first_default = len(positional) - len(given.defaults)
    parameters = [
        inspect.Parameter(
            each.arg,
            inspect.Parameter.POSITIONAL_ONLY
            if place < len(given.posonlyargs)
            else inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if place < first_default else None,
        )
        for place, each in enumerate(positional)
    ]
    if given.vararg is not None:
        parameters.append(inspect.Parameter(given.vararg.arg, inspect.Parameter.VAR_POSITIONAL))
    for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        empty = inspect.Parameter.empty if default is None else None
        parameters.append(inspect.Parameter(each.arg, inspect.Parameter.KEYWORD_ONLY, default=empty))
    if given.kwarg is not None:
        parameters.append(inspect.Parameter(given.kwarg.arg, inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def parameters_of(signature: inspect.Signature) -> list[str]:
    """Return the names that a function takes, `*args` and `**kwargs` left out."""
    return [name for name, each in signature.parameters.items() if each.kind not in _OPAQUE]


@lru_cache(maxsize=64)
def _source_of(path: str, changed: int, size: int) -> Source:  # noqa: ARG001 (tell versions apart)
    """Return the names in a version of a file. Raises as `ast.parse` does."""
    tree = parse_python(read_whole(Path(path)), path)
    bound = list(_bound(tree))
    names = {name: is_function for name, is_function, _ in bound}
    words, used = set(names), set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word, ctx=ast.Load()):
                words.add(word)
                used.add(word)
            case ast.Name(id=word):
                words.add(word)
            case ast.Attribute(value=ast.Name(id="sys"), attr="modules"):
                words.add("sys.modules")
            case ast.Global(names=words_of_module):
                names |= dict.fromkeys(words_of_module, True)
                bound += [(word, False, node) for word in words_of_module]
    once = {name for name, _, _ in bound if sum(name == other for other, _, _ in bound) == 1}
    functions = {
        name: node
        for name, _, node in bound
        if name in once and isinstance(node, ast.FunctionDef) and not node.decorator_list
    }
    return Source(
        None if _DYNAMIC & words else names,
        functions,
        {name: value for name, value in _constants(tree) if name in once},
        frozenset(used),
    )


def _bound(tree: ast.AST) -> Iterator[tuple[str, bool, ast.AST]]:
    """Yield the names that a module's statements bind, and whether it is to a function or class.

    Those bound within functions and classes are left out.
    """
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, True, node
            case ast.Name(id=name, ctx=ast.Store()):
                yield name, False, node
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0], False, node
            case _:
                yield from _bound(node)


def _constants(tree: ast.Module) -> Iterator[tuple[str, tuple[object, int]]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                yield name, (value, node.lineno)
