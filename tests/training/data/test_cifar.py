from __future__ import annotations

import functools
import hashlib
import pickle
import shutil
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.data.cifar import cifar10
from gpubench_tui.engine.training.data.datasets import open_data
from gpubench_tui.engine.training.errors import NoDataError, TrainingError
from gpubench_tui.engine.training.vision import torchvision

PART = 20


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


class Handler(SimpleHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def log_message(self, *_: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """torchvision's CIFAR-10, made small, its archive served on loopback."""
    source = torchvision().datasets.CIFAR10
    made = tmp_path / "made" / source.base_folder
    made.mkdir(parents=True)
    pixels = np.random.default_rng(0)
    sums = {}
    for name in [*(name for name, _ in source.train_list), source.test_list[0][0]]:
        images = pixels.integers(0, 256, (PART, 3072), dtype=np.uint8)
        (made / name).write_bytes(pickle.dumps({"data": images, "labels": [i % 10 for i in range(PART)]}))
        sums[name] = md5(made / name)
    meta = made / source.meta["filename"]
    meta.write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    archive = tmp_path / "made" / source.filename
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(made, source.base_folder)
    monkeypatch.setattr(source, "train_list", [[name, sums[name]] for name, _ in source.train_list])
    monkeypatch.setattr(source, "test_list", [[name, sums[name]] for name, _ in source.test_list])
    monkeypatch.setattr(source, "meta", source.meta | {"md5": md5(meta)})
    monkeypatch.setattr(source, "tgz_md5", md5(archive))
    monkeypatch.setattr(Handler, "asked", [])
    handler = functools.partial(Handler, directory=str(archive.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setattr(source, "url", f"http://127.0.0.1:{server.server_port}/{source.filename}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield source
        server.shutdown()


def test_it_is_downloaded_once_however_many_come(served: Any, tmp_path: Path) -> None:
    notes: list[str] = []
    found: list[Any] = []

    def come() -> None:
        found.append(cifar10(tmp_path / "cache", notes.append))

    threads = [threading.Thread(target=come) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Handler.asked) == 1
    assert len(found) == 3
    (images, labels), (test_images, _) = found[0]
    assert images.shape == (5 * PART, 3, 32, 32)
    assert images.dtype == torch.uint8
    assert labels[:11].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert len(test_images) == PART
    assert any(note.startswith("downloading CIFAR-10, ") and note.endswith("%") for note in notes)


def test_an_archive_put_there_by_hand_needs_no_network(served: Any, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (tmp_path / "made" / served.filename).rename(cache / served.filename)
    train, test = open_data(Workload(data="cifar10", data_dir=str(cache)), Path("/nowhere"), lambda _: None)
    assert (len(train), len(test)) == (5 * PART, PART)
    assert Handler.asked == []


def test_a_damaged_archive_is_named(served: Any, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / served.filename).write_bytes(b"half of it")
    with pytest.raises(NoDataError, match=r"cifar-10-python\.tar\.gz is damaged"):
        cifar10(cache, lambda _: None)


def test_without_a_network_the_sentence_says_where_to_put_it(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    with pytest.raises(NoDataError) as caught:
        cifar10(tmp_path / "cache", lambda _: None)
    said = str(caught.value)
    assert "could not be downloaded" in said
    assert "put cifar-10-python.tar.gz" in said
    assert str(tmp_path / "cache") in said
    assert list((tmp_path / "cache").glob("*.partial")) == []


def test_other_classes_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="classes = 7"):
        open_data(Workload(data="cifar10", classes=7), tmp_path, lambda _: None)


def test_links_in_a_shared_folder_are_not_followed(served: Any, tmp_path: Path) -> None:
    mine, cache = tmp_path / "mine", tmp_path / "cache"
    cache.mkdir()
    for name in (".lock", served.filename.replace(".gz", ".partial")):
        mine.write_text("thesis")
        (cache / name).symlink_to(mine)
    assert len(cifar10(cache, lambda _: None)[0][0]) == 5 * PART
    assert mine.read_text() == "thesis"


def test_only_the_bytes_that_were_checked_are_unpickled(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(tmp_path / "made", cache)
    folder = cache / served.base_folder
    loads = pickle.loads

    def replaced_meanwhile(content: bytes, **options: Any) -> Any:
        for file in folder.iterdir():
            file.write_bytes(b"cos\nsystem\n(S'touch " + bytes(tmp_path / "owned") + b"'\ntR.")
        return loads(content, **options)

    monkeypatch.setattr("pickle.loads", replaced_meanwhile)
    (cache / served.filename).unlink()
    monkeypatch.setattr(served, "url", "http://127.0.0.1:9/gone")
    with pytest.raises(NoDataError):
        cifar10(cache, lambda _: None)
    assert not (tmp_path / "owned").exists()
