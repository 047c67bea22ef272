"""Folders that others can change are known as such."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gpubench_tui.engine.host.privacy import NotPrivateError, own_folder

STRANGER = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")


@pytest.fixture(autouse=True)
def _open_umask() -> None:
    """Create whatever does not say its mode for everybody to write to."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_folders_are_created_for_their_user_alone(tmp_path: Path) -> None:
    made = own_folder(tmp_path / "a" / "b")
    assert made == tmp_path.resolve() / "a" / "b"
    assert [path.stat().st_mode & 0o777 for path in (made, made.parent)] == [0o700, 0o700]
    (tmp_path / "link").symlink_to("a")
    assert own_folder(tmp_path / "link" / "b") == made


@pytest.mark.parametrize(
    ("modes", "safe"),
    [
        ((0o755, 0o755), True),
        ((0o1777, 0o700), True),
        ((0o700, 0o777), False),
        ((0o700, 0o1777), False),
        ((0o777, 0o700), False),
        ((0o702, 0o700), False),
    ],
)
def test_a_folder_is_private_where_nobody_else_can_write(
    modes: tuple[int, int], safe: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "above" / "own"
    folder.mkdir(parents=True)
    for path, mode in zip((folder.parent, folder), modes, strict=True):
        path.chmod(mode)
    if safe:
        assert own_folder(folder)
    else:
        with pytest.raises(NotPrivateError, match="other users can write"):
            own_folder(folder)


@as_root
@pytest.mark.parametrize("given", ["above", "above/own"])
def test_a_folder_of_another_user_is_not_private(given: str, tmp_path: Path) -> None:
    folder = tmp_path / "above" / "own"
    folder.mkdir(parents=True, mode=0o700)
    folder.parent.chmod(0o1777)
    os.chown(tmp_path / given, STRANGER, -1)
    with pytest.raises(NotPrivateError, match=f"belongs to user {STRANGER}"):
        own_folder(folder)


@as_root
def test_a_group_of_many_is_not_private(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    os.chown(folder, -1, 54321)
    folder.chmod(0o770)
    with pytest.raises(NotPrivateError):
        own_folder(folder)
