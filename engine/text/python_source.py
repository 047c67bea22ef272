"""Parsing of Python source, by one thread at a time.

CPython 3.11 counts the depth of its syntax trees for all threads together, and may refuse to make one with a
SystemError while another thread makes one too (gh-106905 of python/cpython).
"""

from __future__ import annotations

import ast
import inspect
import threading

_PARSING = threading.RLock()


def parse_python(source: str | bytes, file: str = "<unknown>") -> ast.Module:
    """Return the syntax tree of a source; `file` names it in errors. Raises as `ast.parse` does."""
    with _PARSING:
        return ast.parse(source, filename=file)


def source_of_class(of: type) -> str:
    """Return the source of a class, which is found by parsing its file. Raises OSError without a file."""
    with _PARSING:
        return inspect.getsource(of)
