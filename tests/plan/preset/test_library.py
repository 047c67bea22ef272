"""The library of presets: those of the program, the user's own, and the names by which they are found."""

from pathlib import Path

import pytest
from building.recorded import host
from gpubench_tui.engine.plan.preset.library import all_presets, find_preset
from gpubench_tui.engine.plan.preset.write import write_preset
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli.content.listing import preset_listing
from msgspec.structs import replace


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A preset of the user's own that has the name of one of the program's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "gpubench-tui" / "presets"
    folder.mkdir(parents=True)
    path = folder / "scaling.toml"
    path.write_text(write_preset(replace(find_preset("scaling").read(), title="Mine")))
    return path


def test_a_name_means_the_own_preset_and_the_other_stays_within_reach(own: Path) -> None:
    found, shipped = find_preset("scaling"), find_preset("shipped:scaling")
    assert (found.path, found.read().title, found.instead_of) == (own, "Mine", "shipped:scaling")
    assert not shipped.own and shipped.read().title != "Mine"
    assert {"scaling", "shipped:scaling"} <= {file.name for file in all_presets()}
    assert "shipped:scaling is that of the program" in found.stands_in


def test_the_list_says_so(own: Path, tmp_path: Path) -> None:
    listing = preset_listing(host(0), (), Shelf(tmp_path))
    assert f"scaling is your own preset {own}; shipped:scaling is that of the program" in listing.text
    stands_in = {each["name"]: each["instead_of"] for each in listing.data}
    assert stands_in["scaling"] == "shipped:scaling" and stands_in["shipped:scaling"] is None


def test_the_prefix_is_understood_where_no_name_is_shared(own: Path) -> None:
    own.unlink()
    assert find_preset("shipped:scaling") == find_preset("scaling")
