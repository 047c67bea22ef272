"""What `doctor` says of machines that are not at hand, and `presets` of presets and their keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from building.recorded import host
from gpubench_tui.engine.host.facts import Link
from gpubench_tui.engine.plan.library import find_preset
from gpubench_tui.tui.cli.listing_content import host_listing
from gpubench_tui.tui.cli.main import main
from msgspec.structs import replace


@pytest.mark.parametrize(
    ("pcie", "text"),
    [
        ((5, 5, 16, 16), ", PCIe gen 5 x16, GPU-0"),
        ((1, 5, 8, 16), ", PCIe gen 1 (of 5) x8 (of 16), GPU-0"),
        ((4, None, None, 16), ", PCIe gen 4, GPU-0"),
        ((None, 5, None, 16), "compute capability 9.0, GPU-0"),
    ],
)
def test_the_pcie_link_of_a_gpu(pcie: tuple[int | None, ...], text: str, tmp_path: Path) -> None:
    names = ("pcie_generation", "pcie_generation_max", "pcie_width", "pcie_width_max")
    machine = host(1)
    gpu = replace(machine.gpus[0], **dict(zip(names, pcie, strict=True)))
    assert text in host_listing(replace(machine, gpus=(gpu,)), tmp_path).text


def test_peer_access_is_said_where_it_is_known(tmp_path: Path) -> None:
    links = (Link(0, 1, "PIX", True), Link(0, 2, "SYS", False), Link(1, 2, "SYS"))
    lines = host_listing(replace(host(3), links=links), tmp_path).text.splitlines()
    assert [line.partition(": ")[2] for line in lines if line.startswith("link ")] == [
        "PIX, peer access",
        "SYS, no peer access",
        "SYS",
    ]


@pytest.mark.parametrize("gpus", [0, 8])
def test_the_facts_stand_below_one_another(gpus: int, tmp_path: Path) -> None:
    """A label or number that outgrew its column would touch its fact."""
    lines = host_listing(host(gpus), tmp_path).text.splitlines()
    facts = [line for line in lines if line and not line.startswith((" ", "ok:", "warning:", "info:"))]
    assert len(facts) > 6
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
    assert lines[place + 1] == "  epochs  integer from 0; default 0"
    assert "  hang_seconds  number above 0; default 120.0" in lines
    assert "  vit-tiny" in lines and "  torchvision:NAME" in lines
    assert max(map(len, lines)) <= 100
    assert main(["presets", "--keys", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {table["table"] for table in data["tables"]} >= {"", "[workload]", "[[matrix.only]]"}
