from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest
from gpubench_tui.engine.plan.workload.data_error import DataError
from gpubench_tui.engine.plan.workload.image_files import (
    UnreadableError,
    class_names,
    decode,
    describe_unreadable,
    open_folder,
)
from PIL import Image

GREY_16 = 0x8000
"""Half of the range of 16 bits."""


def make_folder(root: Path, count: int = 3, names: tuple[str, ...] = ("cat", "dog")) -> Path:
    for part in ("train", "test"):
        for name in names:
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (8, 8), (number, 0, 0)).save(root / part / name / f"{number:03}.png")
    return root


def test_hidden_folders_and_files_are_no_data(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    for part in ("train", "test"):
        (folder / part / ".ipynb_checkpoints").mkdir()
        (folder / part / "cat" / "._000.png").write_bytes(b"resource fork")
        (folder / part / "notes.txt").write_text("no class")
        (folder / part / "circle").symlink_to("circle")
        (folder / part / "cat" / "notes.txt").write_text("no image")
    assert class_names(folder / "train") == ["cat", "dog"]
    train, test = open_folder(folder, 2)
    assert [Path(path).name for path in train.paths] == ["000.png", "001.png", "002.png"] * 2
    assert train.labels == test.labels == (0, 0, 0, 1, 1, 1)
    assert not train.unreadable and not test.unreadable


def spoil(path: Path, how: str) -> None:
    """Replace an image by something that cannot be read as one."""
    data = path.read_bytes()
    path.unlink()
    if how == "fifo":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()
    elif how == "dangling link":
        path.symlink_to("nowhere.png")
    elif how == "circular link":
        path.symlink_to(path)
    elif how == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes({"empty": b"", "text": b"no image", "truncated": data[: len(data) // 2]}[how])


SPOILT = (
    *("fifo", "folder", "dangling link", "circular link", "device"),
    *("empty", "text", "truncated"),
)


@pytest.mark.parametrize("how", SPOILT)
def test_an_unreadable_file_is_left_out_and_named(how: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path, count=100)
    bad = folder / "train" / "dog" / "042.png"
    spoil(bad, how)
    train, test = open_folder(folder, 2)
    assert len(train.paths) == len(train.labels) == 199
    assert len(test.paths) == 200
    assert str(bad) not in train.paths
    assert [path for path, _ in train.unreadable] == [str(bad)]
    assert f"1 unreadable image is skipped in {folder / 'train'}: {bad} " in describe_unreadable(
        folder / "train", train
    )


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_of_which_more_than_one_percent_is_unreadable_is_refused(
    part: str, how: str, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path, count=100)
    for name in ("011.png", "077.png"):
        spoil(folder / part / "cat" / name, how)
    with pytest.raises(DataError) as caught:
        open_folder(folder, 2)
    assert caught.value.key == "data_dir"
    assert f"2 of 100 images looked at in {folder / part / 'cat'} cannot be read" in caught.value.problem
    assert "011.png" in caught.value.problem


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_without_images_is_refused(part: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    for file in (folder / part / "dog").iterdir():
        file.rename(file.with_suffix(".gz"))
    with pytest.raises(DataError, match=f"{part}/dog holds no images"):
        open_folder(folder, 2)
    (folder / part / "dog").rename(folder / "elsewhere")
    with pytest.raises(DataError, match=r"has 1 class folders|no folder .*test/dog"):
        open_folder(folder, 2)


def test_a_damaged_class_of_many_files_is_found_from_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []

    def counted(path: str) -> Image.Image:
        decoded.append(path)
        return decode(path)

    monkeypatch.setattr("gpubench_tui.engine.plan.workload.image_files.decode", counted)
    monkeypatch.setattr("gpubench_tui.engine.plan.workload.image_files.SAMPLE_FILES", 20)
    folder = make_folder(tmp_path, count=200)
    # One file of 200 is bearable, also where it stands for a tenth of the sample.
    open_folder(folder, 2)
    assert len(decoded) == 40
    spoil(Path(decoded[0]), "text")
    train, _ = open_folder(folder, 2)
    assert len(train.unreadable) == 1
    assert len(set(decoded)) < 300
    for file in (folder / "test" / "dog").iterdir():
        file.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"200 of 200 images looked at in .*test/dog"):
        open_folder(folder, 2)


def test_a_mended_file_is_read(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    bad = folder / "train" / "cat" / "001.png"
    good = bad.read_bytes()
    bad.write_bytes(good[:40])
    with pytest.raises(DataError):
        open_folder(folder, 2)
    bad.write_bytes(good)
    assert not open_folder(folder, 2)[0].unreadable


def write_tiff(path: Path, values: list[int], sample_format: int | None) -> None:
    """A TIFF file of one line of integers of 32 bits."""
    fields = [(256, len(values)), (257, 1), (258, 32), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1)]
    fields += [(279, 4 * len(values))] + ([] if sample_format is None else [(339, sample_format)])
    data = struct.pack(f"<{len(values)}I", *(value % 2**32 for value in values))
    table = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in fields)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + table + bytes(4))


@pytest.mark.parametrize("highest", [255, 65_535, 2**31 - 1, 2**32 - 1])
@pytest.mark.parametrize("sample_format", [None, 1, 2])
def test_integers_of_32_bits_keep_their_range(
    highest: int, sample_format: int | None, tmp_path: Path
) -> None:
    if sample_format == 2:
        highest = min(highest, 2**31 - 1)
    write_tiff(tmp_path / "grey.tif", [0, highest // 2, highest], sample_format)
    image = decode(str(tmp_path / "grey.tif"))
    assert [image.getpixel((x, 0))[0] for x in range(3)] == pytest.approx([0, 127, 255], abs=1)


@pytest.mark.parametrize(("mode", "suffix"), [("I;16", "png"), ("I;16", "tif"), ("I", "tif")])
@pytest.mark.parametrize(("value", "expected"), [(0, 0), (GREY_16, 127.5), (65_535, 255), (300, 1)])
def test_grey_of_16_bits_keeps_its_range(
    mode: str, suffix: str, value: int, expected: float, tmp_path: Path
) -> None:
    file = tmp_path / f"grey.{suffix}"
    Image.new(mode, (4, 4), value).save(file)
    image = decode(str(file))
    assert image.mode == "RGB"
    assert image.getpixel((1, 1)) == (pytest.approx(expected, abs=1),) * 3


@pytest.mark.parametrize(("value", "expected"), [(0.5, 127.5), (1.0, 255), (100.0, 100), (32_767.0, 127.5)])
def test_floating_point_images_keep_their_range(value: float, expected: float, tmp_path: Path) -> None:
    file = tmp_path / "float.tiff"
    Image.new("F", (4, 4), value).save(file)
    assert decode(str(file)).getpixel((1, 1)) == (pytest.approx(expected, abs=1),) * 3


def test_big_endian_grey_keeps_its_range(tmp_path: Path) -> None:
    file = tmp_path / "grey.tif"
    Image.new("I;16B", (4, 4), GREY_16).save(file)
    assert decode(str(file)).getpixel((0, 0)) == (pytest.approx(127.5, abs=1),) * 3


def test_a_socket_is_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # addresses of sockets are short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("image.png")
        with pytest.raises(UnreadableError):
            decode(str(tmp_path / "image.png"))
