"""Files that are not what their name promises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gpubench_tui.engine.text import files
from gpubench_tui.engine.text.files import (
    is_file,
    is_folder,
    parse_toml,
    read_whole,
    replace_private,
    user_path,
)

LONG = Path("/" + "x" * 5000)


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert read_whole(path) == b"content"
    (tmp_path / "link").symlink_to(path)
    assert read_whole(tmp_path / "link") == b"content"


def test_anything_else_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(OSError, match="not a regular file"):
            read_whole(path)
    with pytest.raises(IsADirectoryError):
        read_whole(tmp_path)
    for path in (LONG, tmp_path / "none", Path("a\0b")):
        with pytest.raises(OSError):
            read_whole(path)
        assert not is_file(path) and not is_folder(path)


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(files.MOST_BYTES + 1)
    with pytest.raises(OSError, match="larger than 64 MiB"):
        read_whole(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = ", "Invalid value"),
        ("b = 1\nprecision = bf16\nc = 2", 'line 2.*; text needs quotes: "bf16"$'),
        ("modes = [1, ddp]", '; text needs quotes: "ddp"$'),
        ("model = net.py:build # mine", '; text needs quotes: "net.py:build"$'),
        ("compile = True\n", "; expected true$"),
        ("a = true false", r"not valid TOML: [^;]*$"),
        ("a = " + "[" * 100_000, "nested more than 30 levels"),
        ("a = " + "[" * 40 + "]" * 40, "nested more than 30 levels"),
        (".".join("a" * 5000) + " = 1", "nested more than 30 levels"),
        ("a = " + "9" * 5000, "does not fit into 64 bits"),
        ("a = [{b = -9223372036854775809}]", "does not fit into 64 bits"),
    ],
    ids=lambda text: text[:9],
)
def test_toml_that_is_not_valid_is_told_in_a_phrase(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as raised:
        parse_toml(text)
    assert str(raised.value).startswith("not valid TOML: ") and "\n" not in str(raised.value)


def test_valid_toml() -> None:
    assert parse_toml("\ufeffa = 9223372036854775807\n[b.c]\nd = [[1.5]]") == {
        "a": 2**63 - 1,
        "b": {"c": {"d": [[1.5]]}},
    }


def test_an_unknown_user_has_no_home() -> None:
    assert user_path("~nosuchuser/x") == Path("~nosuchuser/x")
    assert user_path("~/x") == Path.home() / "x"


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / ".paces"
    for content in (b"first", b"second"):
        replace_private(path, content)
        assert path.read_bytes() == content and path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        replace_private(tmp_path / "folder", b"content")
    assert path.read_bytes() == b"second"
