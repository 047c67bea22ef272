"""The `init` command: a file to begin a training of one's own with."""

from __future__ import annotations

import shlex
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ....engine.record.exit_status import MEASURED
from ....engine.text.files import user_path
from ..context import Context, UsageError

if TYPE_CHECKING:
    from ..arguments import Subparsers

TEMPLATE = "my_training.txt"
"""Name of the text that is copied, in the package of the presets."""
NAME = "my_training.py"
"""Name of the file unless another is given, by which its text calls it."""


def add_init_command(subparsers: Subparsers) -> None:
    """Declare `init`."""
    parser = subparsers.add_parser(
        "init",
        help="write a file to begin a training of your own with: it runs at once, and is yours to change",
        epilog="Exit status: 0; 2 where the file exists or cannot be written.",
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default=NAME,
        help=f"file to write, which must not exist (default: {NAME})",
    )
    parser.set_defaults(command=write_first_training)


def write_first_training(_: Context, *, file: str) -> int:
    """Write the file and print the command that runs it. Raises UsageError."""
    path = user_path(file)
    if path.suffix != ".py":
        raise UsageError(f"init {file}: a training is a Python file; expected a name that ends in .py")
    template = Path(str(files("gpubench_tui.presets"))) / TEMPLATE
    text = template.read_text(encoding="utf-8").replace(NAME, path.name)
    try:
        with path.open("x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError:
        raise UsageError(f"{file} exists already: choose another name, or remove it") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    sys.stdout.write(f"gpubench-tui run {shlex.quote(file)}\n")
    return MEASURED
