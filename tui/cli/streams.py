"""The standard streams of the command: some may be closed, or take no more."""

from __future__ import annotations

import io
import os
import sys

NAMES = ("stdin", "stdout", "stderr")
"""Names of the streams in `sys`, by their file descriptors."""


def replace_closed() -> None:
    """Put the null device in the place of each standard stream that is closed.

    The next file to be opened would take its descriptor, and what a library prints would end up in it.
    """
    for number, name in enumerate(NAMES):
        try:
            os.fstat(number)
        except OSError:
            _open_null(number)
        if getattr(sys, name) is None:
            stream = open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def never_fail() -> None:
    """Let output show what its encoding lacks as question marks: an ASCII locale has no plus-minus sign."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def discard_output() -> None:
    """Send what is still to be printed nowhere; Python would complain of it once more when it exits."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            _open_null(number)


def _open_null(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
    os.set_inheritable(number, True)
