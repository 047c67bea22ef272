"""What `doctor` says of machines that are not at hand, and `presets` of presets and their keys."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import pytest
from building.recorded import host
from gpubench_tui.engine.host.facts import Link
from gpubench_tui.engine.plan.preset.errors import PresetError
from gpubench_tui.engine.plan.preset.library import find_preset, refused_by_all
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli import main as main_module
from gpubench_tui.tui.cli.content.host import host_listing
from gpubench_tui.tui.cli.content.listing import preset_listing
from gpubench_tui.tui.cli.main import main
from msgspec.structs import replace


@pytest.mark.parametrize(
    ("pcie", "text"),
    [
        ((5, 5, 16, 16), "9.0, PCIe gen 5 x16 power limit"),
        ((1, 5, 8, 16), "9.0, PCIe gen 1 (of 5) x8 (of 16) power limit"),
        ((4, None, None, 16), "9.0, PCIe gen 4 power limit"),
        ((None, 5, None, 16), "compute capability 9.0 power limit"),
    ],
)
def test_the_pcie_link_of_a_gpu(pcie: tuple[int | None, ...], text: str, tmp_path: Path) -> None:
    names = ("pcie_generation", "pcie_generation_max", "pcie_width", "pcie_width_max")
    machine = host(1)
    gpu = replace(machine.gpus[0], **dict(zip(names, pcie, strict=True)))
    assert text in " ".join(host_listing(replace(machine, gpus=(gpu,)), tmp_path).text.split())


@pytest.mark.parametrize(
    ("modes", "text"),
    [
        ({}, "power limit 700 W GPU-0"),
        (
            {"sm_clock_max_mhz": 1980.0, "ecc": True, "mig": False, "persistence": False},
            "power limit 700 W, clock limit 1980 MHz, ECC on, MIG off, persistence mode off GPU-0",
        ),
        ({"power_limit_watts": None}, "compute capability 9.0 GPU-0"),
    ],
)
def test_limits_and_modes_are_said_where_they_are_known(
    modes: dict[str, object], text: str, tmp_path: Path
) -> None:
    machine = host(1)
    gpu = replace(machine.gpus[0], **modes)
    assert text in " ".join(host_listing(replace(machine, gpus=(gpu,)), tmp_path).text.split())


def test_equal_gpus_are_described_once(tmp_path: Path) -> None:
    machine = host(8)
    text = host_listing(machine, tmp_path).text
    assert text.count("NVIDIA H200") == 1 and "\ngpus 0-7     NVIDIA H200," in text
    assert all(f"\n             {gpu.index}: {gpu.uuid}\n" in text for gpu in machine.gpus)
    slow = replace(machine.gpus[3], power_limit_watts=300.0)
    text = host_listing(replace(machine, gpus=(*machine.gpus[:3], slow, *machine.gpus[4:])), tmp_path).text
    assert "\ngpus 0-2, 4-7 NVIDIA" not in text, "the label needs its column"
    assert "\ngpus         0-2, 4-7: NVIDIA H200," in text
    assert "\ngpu 3        NVIDIA H200," in text and "power limit 300 W\n             GPU-3\n" in text


def links_of(gpus: int, links: Iterable[Link], tmp_path: Path) -> list[str]:
    lines = host_listing(replace(host(gpus), links=tuple(links)), tmp_path).text.splitlines()
    assert max(map(len, lines)) <= 80
    first = next(place for place, line in enumerate(lines) if line.startswith("links"))
    return [line[13:] for line in lines[first : lines.index("", first)]]


def test_links_that_are_alike_are_a_sentence(tmp_path: Path) -> None:
    pairs = list(combinations(range(8), 2))
    assert links_of(8, (Link(a, b, "NV18", True) for a, b in pairs), tmp_path) == [
        "all 28 pairs of GPUs: NV18, peer access"
    ]
    assert links_of(2, [Link(0, 1, "SYS")], tmp_path) == ["both GPUs: SYS, peer access not known"]


def test_links_that_differ_are_a_matrix(tmp_path: Path) -> None:
    found = links_of(3, [Link(0, 1, "PIX", True), Link(1, 2, "SYS", False)], tmp_path)
    assert [line.split() for line in found] == [
        ["GPU0", "GPU1", "GPU2"],
        ["GPU0", "X", "PIX", "n/a"],
        ["GPU1", "PIX", "X", "SYS"],
        ["GPU2", "n/a", "SYS", "X"],
        ["peer", "access:", "0-1"],
        ["no", "peer", "access:", "1-2"],
    ]
    assert found[0].index("GPU1") == found[1].index("PIX") == found[3].index("SYS")


def test_a_wide_matrix_comes_in_parts(tmp_path: Path) -> None:
    links = [Link(a, b, "NV18" if b < 8 or a >= 8 else "SYS", True) for a, b in combinations(range(16), 2)]
    found = links_of(16, links, tmp_path)
    assert [line.split()[0] for line in found if line.startswith("GPU")] == [
        f"GPU{index}" for index in (*range(16), *range(16))
    ]
    assert found[-1] == "peer access in all pairs"
    cells = [cell for line in found for cell in line.split()]
    assert cells.count("SYS") == 128 and cells.count("NV18") == 112 and cells.count("X") == 16


@pytest.mark.parametrize("gpus", [0, 8])
def test_the_facts_stand_below_one_another(gpus: int, tmp_path: Path) -> None:
    """A label or number that outgrew its column would touch its fact."""
    lines = host_listing(host(gpus), tmp_path).text.splitlines()
    facts = [line for line in lines if line and not line.startswith((" ", "ok:", "warning:", "info:"))]
    assert len(facts) > 6
    assert max(map(len, lines)) <= 80
    assert not [line for line in facts if line[11:13] != "  " or line[13] == " "]


def test_a_preset_is_printed_as_its_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["presets", "quick", "--set", "workload.batch=7"]) == 0
    (tmp_path / "copy.toml").write_text(capsys.readouterr().out)
    file = find_preset("quickstart")
    assert find_preset(str(tmp_path / "copy.toml")).read() == file.read(["workload.batch=7"])
    assert main(["presets", "quick", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["path"] == str(file.path) and data["preset"]["title"] == file.read().title
    assert main(["presets", "nosuch"]) == 2
    assert "no such preset" in capsys.readouterr().err


def test_all_keys_and_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "--keys"]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("[measure]  Length and repetition of measurements.")
    assert lines[place + 1] == "  epochs  whole number from 0; default 0"
    assert "  hang_seconds  number above 0; default 120.0" in lines
    assert "  vit-tiny" in lines and "  torchvision:NAME" in lines
    assert max(map(len, lines)) <= 100
    assert main(["presets", "--keys", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {table["table"] for table in data["tables"]} >= {"", "[workload]", "[[matrix.only]]"}


@pytest.mark.parametrize("command", [["presets"], []])
def test_a_setting_that_no_preset_takes_is_refused_once(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main_module, "require_terminal", lambda _: None)
    assert main(["--set", "lr=0.1", *command]) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert "--set lr=0.1: no such key; did you mean workload.learning_rate?" in said.err


def test_a_setting_that_some_preset_takes_is_refused_by_none_of_the_others() -> None:
    assert refused_by_all([]) == refused_by_all(["workload.batch=7"]) == ""
    with pytest.raises(PresetError):
        find_preset("batch-size").read(["workload.batch=7"])


def test_the_list_says_which_presets_are_in_their_reduced_form_and_what_they_vary(tmp_path: Path) -> None:
    for gpus in (0, 2):
        found = preset_listing(host(gpus), ["--vary seed=1,2"], Shelf(tmp_path))
        assert {each["reduced"] for each in found.data} == {gpus == 0}
        assert ("; reduced form, without GPUs" in found.text) == (gpus == 0)
        assert {run["varied"]["seed"] for each in found.data for run in each["runs"]} == {1, 2}
