import resource
from pathlib import Path

import pytest
from gpubench_tui.engine.host.facts import Cpu, Gpu, Host, Software
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.needs import Need, needs
from gpubench_tui.engine.plan.preset.library import (
    PresetFile,
    find_preset,
    own_file,
    save,
    save_new,
    user_folder,
)
from msgspec.structs import replace
from PIL import Image


def host(gpus: int = 1, torchvision: str | None = "0.28.0", cuda: str | None = "13.0") -> Host:
    return Host(
        name="server",
        cpu=Cpu("cpu", (0, 1), 2, 1 << 34),
        software=Software("3.11", "linux", torch="2.13.0", torch_cuda=cuda, torchvision=torchvision),
        gpus=tuple(Gpu(index, f"GPU-{index}", "H200", compute_capability=(9, 0)) for index in range(gpus)),
    )


def lacking(preset: str, machine: Host, cache: Path, *overrides: str) -> list[Need]:
    return needs(make_plan(preset, find_preset(preset).read(overrides), machine), machine, cache)


def test_a_preset_that_needs_nothing_more_says_nothing(tmp_path: Path) -> None:
    assert lacking("quickstart", host(), tmp_path) == []


def test_cifar10_is_looked_for_where_it_would_be_read(tmp_path: Path) -> None:
    (need,) = lacking("train-cifar10", host(), tmp_path)
    assert need.level == "warning" and str(tmp_path) in need.text and "163 MiB" in need.text
    assert need.key == "workload.data" and "cifar-10-python.tar.gz" in need.remedy
    elsewhere = tmp_path / "mine"
    (need,) = lacking("train-cifar10", host(), tmp_path, f"workload.data_dir={elsewhere}")
    assert str(elsewhere) in need.text
    (tmp_path / "cifar-10-batches-py").mkdir()
    assert lacking("train-cifar10", host(), tmp_path) == []
    elsewhere.mkdir()
    (elsewhere / "cifar-10-python.tar.gz").touch()
    assert lacking("train-cifar10", host(), tmp_path, f"workload.data_dir={elsewhere}") == []


def test_what_needs_torchvision_is_named(tmp_path: Path) -> None:
    first, *_ = lacking("single-dp-ddp", host(torchvision=None), tmp_path)
    assert first.level == "error"
    assert "CIFAR-10 and torchvision:resnet34 and torchvision:resnet18" in first.text
    assert lacking("scaling", host(torchvision=None), tmp_path) == []


def test_unreadable_images_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(100):
                Image.new("RGB", (8, 8)).save(tmp_path / part / name / f"{number}.png")
    (tmp_path / "test" / "cat" / "7.png").write_bytes(b"")
    (tmp_path / "test" / "dog" / "8.png").unlink()
    (tmp_path / "test" / "dog" / "8.png").mkdir()
    data = (
        "workload.data=folder",
        f"workload.data_dir={tmp_path}",
        "workload.classes=2",
        "workload.batch=64",
    )
    (need,) = lacking("quickstart", host(), tmp_path, *data)
    assert need.level == "warning" and need.key == "workload.data_dir"
    assert f"2 unreadable images are skipped in {tmp_path / 'test'}: {tmp_path}/test/cat/7.png" in need.text


@pytest.mark.parametrize(("gpus", "cuda", "why"), [(0, "13.0", "no GPUs here"), (2, None, "without CUDA")])
def test_a_measurement_on_shares_of_the_cores_is_said_to_be_one(
    tmp_path: Path, gpus: int, cuda: str | None, why: str
) -> None:
    (need,) = lacking("quickstart", host(gpus, cuda=cuda), tmp_path)
    assert why in need.text and "share of the CPU cores" in need.text
    other = "the driver lacks a function"  # which is why there are none only where there are none
    found = replace(host(gpus, cuda=cuda), notes=(other,))
    assert lacking("quickstart", found, tmp_path)[0].remedy == ("" if gpus else other)


def test_a_preset_of_ones_own_is_saved_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = own_file("  Big Batches! ")
    assert file == PresetFile("big-batches", user_folder() / "big-batches.toml", own=True)
    preset = find_preset("batch-size").read(["matrix.batches=[32, 4096]"])
    save(file, preset)
    assert find_preset("big").read() == preset
    assert [path.name for path in user_folder().iterdir()] == ["big-batches.toml"]
    for title, problem in (("...", "a letter or a digit"), ("Quickstart", "comes with the program")):
        with pytest.raises(ValueError, match=problem):
            own_file(title)


def test_a_new_preset_replaces_none_and_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    names = [save_new("mine", text).name for text in ("a = 1", "b = 2")]
    assert names == ["mine.toml", "mine-2.toml"]
    usual, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_new("mine", "c = 3\n" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (usual, most))
    assert sorted(path.name for path in user_folder().iterdir()) == sorted(names)
    assert (user_folder() / "mine.toml").read_text() == "a = 1"
