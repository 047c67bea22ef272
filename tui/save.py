"""Saving a session's report where the user can find it."""

from __future__ import annotations

import os
from pathlib import Path

from ..engine.analysis.export import render
from ..engine.record.session import Session
from ..engine.record.shelf import SessionFolder


def save_report(session: Session, folder: SessionFolder) -> Path:
    """Write the report as Markdown and return its full path.

    It goes to the working directory, or to the session's folder where that cannot be written. OSError when
    neither can.
    """
    text = render(session, "md")
    here = Path.cwd()
    where = here if os.access(here, os.W_OK) else folder.path
    path = where.resolve() / f"{folder.name}.md"
    path.write_text(text, encoding="utf-8")
    return path
