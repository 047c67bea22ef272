"""Saving what a user wants to keep where they can find it."""

from __future__ import annotations

import os
from pathlib import Path


def save_export(name: str, text: str, otherwise: Path) -> Path:
    """Write a file to the usual folder and return its full path; OSError when that cannot be done."""
    folder = export_folder(otherwise)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return write_export(folder, name, text)


def export_folder(otherwise: Path) -> Path:
    """The working directory, or the folder `otherwise` where that cannot be written."""
    here = Path.cwd()
    return here if os.access(here, os.W_OK) else otherwise


def write_export(folder: Path, name: str, text: str) -> Path:
    """Write a file to the folder and return its full path; OSError when that cannot be done."""
    path = folder.resolve() / name
    path.write_text(text, encoding="utf-8")
    return path
