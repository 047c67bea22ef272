"""The doctor in the app: what the command prints, reached from the palette and by its key."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import recorded
from driving.app import screen_text, wait_for_text, wait_until
from gpubench_tui.engine.host.facts import Host
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.cli.content.host import host_listing
from gpubench_tui.tui.screens import doctor
from gpubench_tui.tui.widgets.panel import Panel
from msgspec.structs import replace

pytestmark = pytest.mark.slow


async def test_the_doctor_says_in_the_app_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = recorded.host(16)
    machines = iter([machine, replace(machine, gpus=machine.gpus[:3], name="bench02")])
    inspected: list[Host] = []

    def inspect() -> Host:
        inspected.append(next(machines))
        return inspected[-1]

    monkeypatch.setattr(doctor, "inspect_host", inspect)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("ctrl+p")
        await wait_for_text(pilot, "Run the selected presets")
        await pilot.press(*"doctor")
        await wait_for_text(pilot, "Inspect this machine")
        await pilot.press("enter")
        await wait_for_text(pilot, "bench01", "AMD EPYC 9554", "gpus 0-15")
        panel = app.screen.query_one(Panel)
        assert panel.content.plain == host_listing(machine, tmp_path).text
        assert max(map(len, panel.content.plain.split("\n"))) <= panel.columns
        await pilot.press("r")
        await wait_for_text(pilot, "bench02")
        await pilot.press("escape")
        await wait_for_text(pilot, "Quickstart", "(estimate)")
        await pilot.press("f4")
        await wait_until(pilot, lambda: isinstance(app.screen, doctor.DoctorScreen))
        assert "Quickstart" not in screen_text(app)
