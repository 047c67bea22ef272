"""Files of tokens and texts, as a plan finds them."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from gpubench_tui.engine.plan.workload.data_error import DataError
from gpubench_tui.engine.plan.workload.token_files import open_text, open_token_files, sequences_in, tokens_in


def write_tokens(path: Path, tokens: Sequence[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(array("H", tokens).tobytes())
    return path


def test_sequences_predict_the_token_after_their_last() -> None:
    assert [sequences_in(tokens, 4) for tokens in (0, 1, 4, 5, 8, 9)] == [0, 0, 0, 1, 1, 2]


def test_the_end_of_a_text_is_for_testing(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(b"x" * 1000)
    train, test = open_text(text, 10)
    assert train == ((str(text), 0, 900),)
    assert test == ((str(text), 900, 100),)
    # A sequence at least, however short the text.
    assert [tokens_in(part) for part in open_text(text, 400)] == [599, 401]


def test_a_folder_of_texts_is_one_text(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    (folder / "inner").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("hidden" * 100)
    (folder / ".hidden.txt").write_text("hidden" * 100)
    (folder / "a.md").write_bytes(b"a" * 300)
    (folder / "empty.md").write_bytes(b"")
    (folder / "inner" / "b.rst").write_bytes(b"b" * 500)
    (folder / "picture.png").write_bytes(b"\x89PNG\0\0\0")
    (folder / "z.txt").write_bytes("ä".encode() * 100)
    (folder / "gone").symlink_to("nowhere")
    (folder / "circle").symlink_to(".")
    os.mkfifo(folder / "fifo")
    train, test = open_text(folder, 50)
    assert train == (
        (str(folder / "a.md"), 0, 300),
        (str(folder / "inner" / "b.rst"), 0, 500),
        (str(folder / "z.txt"), 0, 100),
    )
    assert test == ((str(folder / "z.txt"), 100, 100),)


def test_files_of_tokens_are_those_of_nanogpt(tmp_path: Path) -> None:
    write_tokens(tmp_path / "train.bin", [5] * 300)
    write_tokens(tmp_path / "val.bin", [6] * 40)
    train, test = open_token_files(tmp_path, 10, 50_257)
    assert train == ((str(tmp_path / "train.bin"), 0, 300),)
    assert test == ((str(tmp_path / "val.bin"), 0, 40),)
    train, test = open_token_files(tmp_path / "train.bin", 10, 50_257)
    assert train == ((str(tmp_path / "train.bin"), 0, 270),)
    assert test == ((str(tmp_path / "train.bin"), 270, 30),)


def no_text(folder: Path) -> Path:
    (folder / "image").write_bytes(b"\0\1")
    return folder


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


def text_of(size: int) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "text").write_bytes(b"x" * size)
        return folder / "text"

    return write


def parts_of(train: Sequence[int], test: Sequence[int] | None) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        write_tokens(folder / "train.bin", train)
        if test is not None:
            write_tokens(folder / "val.bin", test)
        return folder

    return write


def odd(folder: Path) -> Path:
    (folder / "odd.bin").write_bytes(b"x" * 1001)
    return folder / "odd.bin"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nothing", ["no file or folder", "nothing"]),
        (no_text, ["holds no text file"]),
        (fifo, ["fifo cannot be read: not a regular file"]),
        (text_of(0), ["text is empty"]),
        (text_of(40), ["has 40 bytes, and 42 are needed to train and to test", "sequence_length = 20"]),
    ],
)
def test_what_is_wrong_with_a_text(make: Callable[[Path], Path], said: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        open_text(make(tmp_path), 20)
    assert raised.value.key == "data_dir"
    assert all(part in raised.value.problem for part in said), raised.value.problem


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nothing", ["no file or folder", "nothing"]),
        (lambda folder: folder, ["no file or folder", "train.bin"]),
        (parts_of([1] * 100, None), ["no file or folder", "val.bin"]),
        (parts_of([], [1] * 100), ["train.bin is empty"]),
        (parts_of([1] * 100, []), ["val.bin is empty"]),
        (parts_of([1] * 100, [1] * 20), ["val.bin has 20 tokens, and 21 are needed to make a sequence"]),
        (parts_of([1] * 20, [1] * 100), ["train.bin has 20 tokens"]),
        (
            parts_of([1] * 99 + [50_257], [1] * 100),
            ["train.bin holds the token 50,257", "the vocabulary is 50,257"],
        ),
        (parts_of([1] * 50_000 + [60_000] + [1] * 50_000, [1] * 100), ["the token 60,000"]),
        (parts_of([1] * 100, [65_535] * 100), ["val.bin holds the token 65,535"]),
        (odd, ["odd.bin has 1,001 bytes, an odd number", "uint16"]),
    ],
)
def test_what_is_wrong_with_files_of_tokens(
    make: Callable[[Path], Path], said: list[str], tmp_path: Path
) -> None:
    with pytest.raises(DataError) as raised:
        open_token_files(make(tmp_path), 20, 50_257)
    assert raised.value.key == "data_dir"
    assert all(part in raised.value.problem for part in said), raised.value.problem
