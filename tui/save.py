"""Saving what a user wants to keep where they can find it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..engine.analysis.export import Format
    from ..engine.record.session import Session
    from ..engine.record.shelf import SessionFolder


def save_report(session: Session, folder: SessionFolder, form: Format = "md") -> Path:
    """Write the session's report, if need be to its folder, and return its full path; OSError as `save`."""
    from ..engine.analysis.export import render

    return save(f"{folder.name}.{form}", render(session, form), folder.path)


def save(name: str, text: str, otherwise: Path) -> Path:
    """Write a file and return its full path; OSError when that cannot be done.

    It goes to the working directory, or to the folder `otherwise` where that cannot be written.
    """
    here = Path.cwd()
    folder = here if os.access(here, os.W_OK) else otherwise
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder.resolve() / name
    path.write_text(text, encoding="utf-8")
    return path
