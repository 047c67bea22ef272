"""The file that a report is written to: refused before anything is measured, written after it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .options import UsageError, read

if TYPE_CHECKING:
    from ...engine.analysis.export import Format
    from ...engine.record.shelf import SessionFolder


def check(path: Path) -> None:
    """Find out whether it can be written before the measurement rather than after it. Raises UsageError."""
    format_of(path)
    if path.is_dir():
        raise UsageError(f"--output {path}: is a folder, expected a file")
    parent = path.resolve().parent
    if not parent.is_dir():
        raise UsageError(f"--output {path}: no folder {parent}")
    if not os.access(path if path.exists() else parent, os.W_OK):
        raise UsageError(f"--output {path}: cannot be written")


def format_of(path: Path) -> Format:
    """The format that the file's name asks for. Raises UsageError."""
    from ...engine.analysis import export

    try:
        return export.format_of(path)
    except ValueError as error:
        raise UsageError(f"--output {path}: {error}") from None


def write_report(folder: SessionFolder, path: Path) -> None:
    """Write the session's report, and say where. Raises UsageError."""
    from ...engine.analysis.analysis import analyse
    from ...engine.analysis.export import render

    write(path, render(analyse(read(folder)), format_of(path)))
    print(f"report: {path.resolve()}", file=sys.stderr)


def write(path: Path, text: str) -> None:
    """Write the text. Raises UsageError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
