"""The file of a report: checked before a measurement, written after it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...engine.text.files import write_private
from .context import UsageError, read_recorded

if TYPE_CHECKING:
    from ...engine.analysis.analysis import Analysis
    from ...engine.analysis.export import Format
    from ...engine.record.session_folder import SessionFolder

    FileFormat = Format | Literal["text"]


TEXT_WIDTH = 100
"""Columns of text in a file, and where the width of the terminal is unknown."""


def check_writable(path: Path) -> None:
    """Check, before a measurement, that its report can be written there. Raises UsageError."""
    if path == Path("-"):
        raise UsageError(
            "--output -: expected a file; gpubench-tui report prints a report to standard output"
        )
    format_by_name(path)
    if path.is_dir():
        raise UsageError(f"--output {path}: is a folder; expected a file")
    parent = path.resolve().parent
    if not parent.is_dir():
        raise UsageError(f"--output {path}: there is no folder {parent}")
    if not os.access(path if path.exists() else parent, os.W_OK):
        raise UsageError(f"--output {path}: cannot be written")


def format_by_name(path: Path) -> FileFormat:
    """Return the format that belongs to the file's ending. Raises UsageError."""
    from ...engine.analysis import export

    if path.suffix.lower() == ".txt":
        return "text"
    try:
        return export.format_of_file(path)
    except ValueError as error:
        raise UsageError(f"--output {path}: {error}, .txt") from None


def report_text(analysis: Analysis, form: FileFormat, width: int = TEXT_WIDTH) -> str:
    """Return a report in one of the formats; `width`: columns of `text`."""
    from ...engine.analysis.export import render
    from ...engine.analysis.report.terminal import session_text

    if form == "text":
        return session_text(analysis, width) + "\n"
    return render(analysis, form)


def write_report(folder: SessionFolder, path: Path) -> None:
    """Write the session's report and print its path. Raises UsageError."""
    from ...engine.analysis.analysis import analyse
    from ...engine.analysis.sessions.trials import with_trials
    from ...engine.record.shelf import Shelf

    analysis = with_trials(analyse(read_recorded(folder)), Shelf(folder.path.parent))
    write(path, report_text(analysis, format_by_name(path)))
    print(f"report written to {path.resolve()}", file=sys.stderr)


def write(path: Path, text: str) -> None:
    """Write text to a file. Raises UsageError."""
    try:
        write_private(path, text.encode(errors="backslashreplace"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
