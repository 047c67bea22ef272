"""Writing exported files to a folder where the user finds them."""

from __future__ import annotations

import os
from pathlib import Path

from ...engine.text.files import make_private_folder, write_private


def save_export(name: str, text: str, otherwise: Path) -> Path:
    """Write a file to the export folder and return its full path; raises OSError."""
    folder = export_folder(otherwise)
    make_private_folder(folder)
    return write_export(folder, name, text)


def export_folder(otherwise: Path) -> Path:
    """Return the working directory, or the folder `otherwise` if it is not writable or was deleted."""
    try:
        here = Path.cwd()
    except OSError:
        return otherwise
    return here if os.access(here, os.W_OK) else otherwise


def write_export(folder: Path, name: str, text: str) -> Path:
    """Write a file to the folder and return its full path; raises OSError."""
    path = folder.resolve() / name
    write_private(path, text.encode(errors="backslashreplace"))
    return path
