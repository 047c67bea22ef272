"""Files that may be anything: reading one never waits, and never fills the memory."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO

MOST_NAME_BYTES = 200
"""Bytes of a text in the name of a file at most, which leaves room for a time, a number and an ending."""
MOST_BYTES = 64 << 20
"""Size in bytes above which a file is not read whole."""
DEEPEST = 30
"""Most levels of nested tables and lists in TOML."""
LARGEST = (1 << 63) - 1
"""Largest integer of TOML."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; OSError for anything else, such as a FIFO, a device or a folder."""
    try:
        # Without O_NONBLOCK, opening a FIFO waits until something writes to it.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError:
        raise OSError(errno.EINVAL, "there is no such name", str(path)) from None
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(file, "rb")


def read_whole(path: Path) -> bytes:
    """Return the content of a regular file; OSError for anything else, and for a file above `MOST_BYTES`."""
    with open_regular(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"larger than {MOST_BYTES >> 20} MiB", str(path))
    return content


def fit_for_file_name(text: str) -> str:
    """Return a text as most of the name of a file: what does not fit is replaced, or cut off at the end.

    It may be empty.
    """
    fit = re.sub(r"[^\w.-]+", "-", text).encode()[:MOST_NAME_BYTES].decode(errors="ignore")
    return fit.strip("-.")


def make_private_folder(path: Path) -> None:
    """Create a folder, and those above it that are missing, for this user alone. Raises OSError."""
    for folder in reversed((path, *path.parents)):
        if not folder.is_dir():
            try:
                folder.mkdir(mode=0o700, exist_ok=True)
            except FileExistsError:
                raise NotADirectoryError(errno.ENOTDIR, "it is a file, not a folder", str(folder)) from None


def write_private(path: Path, content: bytes) -> None:
    """Write a file, which only this user can read unless it exists with other permissions. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(content)


def replace_private(path: Path, content: bytes) -> None:
    """Write a file as `write_private` does, so that nobody finds it half written. Raises OSError."""
    unfinished = path.with_name(f".{path.name.lstrip('.')}-{os.getpid()}")
    write_private(unfinished, content)
    unfinished.replace(path)


def user_path(text: str) -> Path:
    """Return a path with a leading `~` expanded; as it is where there is no such user, like a shell."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (Path.expanduser raises for unknown users)


def is_file(path: Path) -> bool:
    """Return whether there is a file of that name; False where the system refuses the name."""
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises for names that are too long)


def is_folder(path: Path) -> bool:
    """Return whether there is a folder of that name; False where the system refuses the name."""
    return os.path.isdir(path)  # noqa: PTH112 (Path.is_dir raises for names that are too long)


def parse_toml(text: str) -> dict[str, Any]:
    """Return the content of a TOML file; ValueError with a phrase for anything that is not valid."""
    import tomllib  # late: the app's first paint does without

    try:
        table = tomllib.loads(text.removeprefix("\ufeff"))  # which editors on Windows put first
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not valid TOML: {error}{_missing_quotes(text, str(error))}") from None
    except RecursionError:
        raise ValueError(f"not valid TOML: nested more than {DEEPEST} levels deep") from None
    except ValueError:  # Python refuses to read integers of thousands of digits
        raise ValueError("not valid TOML: an integer does not fit into 64 bits") from None
    _check_values(table)
    return table


def _missing_quotes(text: str, message: str) -> str:
    """Return a hint where the line of an error has a word as its value; else nothing."""
    at = re.search(r"at line (\d+)", message)
    lines = text.rstrip().splitlines()
    line = lines[int(at[1]) - 1 if at and int(at[1]) <= len(lines) else -1] if lines else ""
    bare = re.match(r"\s*[\w.-]+\s*=\s*\[?[^#\"']*?(?<![\w\"'])([A-Za-z~][\w./:~-]*)", line)
    if bare is None or bare[1] in ("true", "false", "inf", "nan"):
        return ""
    if bare[1] in ("True", "False"):
        return f"; expected {bare[1].lower()}"
    return f'; text needs quotes: "{bare[1]}"'


def _check_values(value: object, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise ValueError(f"not valid TOML: nested more than {DEEPEST} levels deep")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise ValueError("not valid TOML: an integer does not fit into 64 bits")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check_values(item, depth + 1)
