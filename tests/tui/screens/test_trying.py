"""Trying a remedy from the results screen, and the ways between a session and its trials."""

from __future__ import annotations

from pathlib import Path

import pytest
from building.recorded import shelve
from building.sessions import HOST
from building.trials import RUN, shelve_slow_input, shelve_trial
from driving.app import screen_text, wait_for_text, wait_until, watching
from gpubench_tui.engine.conductor import same_machine
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.requests import ShowResults
from gpubench_tui.tui.screens.dialogs.remedies import RemediesScreen
from gpubench_tui.tui.screens.monitor import MonitorScreen
from gpubench_tui.tui.screens.results import ResultsScreen
from gpubench_tui.tui.widgets.diagnoses import DiagnosisLine
from gpubench_tui.tui.widgets.session_links import LinkLine

pytestmark = pytest.mark.slow

SIZES = [(80, 24), (120, 40)]


@pytest.fixture
def begun(begun: list[SessionFolder], monkeypatch: pytest.MonkeyPatch) -> list[SessionFolder]:
    """The sessions that were to be started, on the machine of the recorded one."""
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: HOST)
    monkeypatch.setattr(same_machine, "program_version", lambda: "0.1.0")
    return begun


@pytest.mark.parametrize("size", SIZES)
async def test_a_remedy_is_chosen_and_its_trial_shown(
    tmp_path: Path, size: tuple[int, int], begun: list[SessionFolder]
) -> None:
    origin = shelve_slow_input(tmp_path)
    app = watching(origin)
    async with app.run_test(size=size) as pilot:
        await wait_for_text(pilot, "waiting for the next batch", "t Try")
        await pilot.press("t")
        text = await wait_for_text(pilot, "Try a remedy for input-bound of single x1:", "in turns")
        dialog = app.screen
        assert isinstance(dialog, RemediesScreen)
        first, second, *_ = dialog._remedies
        assert f"at most {first.ceiling:.2f}x" in text
        assert all(remedy.name in text for remedy in dialog._remedies)
        assert "takes more memory" in text or "changes nothing but the speed" in text
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        assert not begun
        await pilot.press("t")
        await wait_until(pilot, lambda: isinstance(app.screen, RemediesScreen))
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        await wait_for_text(pilot, "waiting  try-slow-")
    (trial,) = begun
    plan = trial.request().plan
    assert plan.trial is not None
    assert (plan.trial.session, plan.trial.run) == (origin.name, RUN.id)
    (remedy,) = {run.attempt.remedy.name for run in plan.runs if run.attempt and run.attempt.remedy}
    assert remedy == second.name


async def test_what_cannot_be_tried_is_said_in_a_sentence(tmp_path: Path, begun: list[SessionFolder]) -> None:
    app = watching(shelve(tmp_path, 8))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await wait_for_text(pilot, "waiting for the next batch", "t Try")
        first = app.screen.query(DiagnosisLine).first().diagnosis
        assert not first.remedies
        await pilot.press("t")
        await wait_for_text(pilot, f" {first.name}: ", "the program leaves")
        app.screen.query_one("#table").focus()
        await pilot.press("t")  # away from the diagnoses, the first one that has a remedy
        await wait_until(pilot, lambda: isinstance(app.screen, RemediesScreen))
        await pilot.press("enter")
        await wait_for_text(pilot, "cannot be tried on", "it was measured elsewhere")
    assert not begun


@pytest.mark.parametrize("size", SIZES)
async def test_a_session_and_its_trials_lead_to_each_other(tmp_path: Path, size: tuple[int, int]) -> None:
    origin = shelve_slow_input(tmp_path)
    trial, running = shelve_trial(origin), shelve_trial(origin, "second", pairs=1)
    app = GpubenchApp(tmp_path)
    with running.hold():
        async with app.run_test(size=size) as pilot:
            app.post_message(ShowResults(origin))
            await wait_for_text(pilot, "tried: Resident data: 2.00x (95%: ", "at most 2.50x was")
            links = list(app.screen.query(LinkLine))
            assert [link.link.folder.name for link in links] == [running.name, trial.name]
            links[1].focus()
            await pilot.press("enter")
            text = await wait_for_text(pilot, trial.name, f"a trial of: {origin.name}")
            assert text.index("Resident data: 2.00x") < text.index("cnn on synthetic images")
            await pilot.press("l")
            await wait_until(
                pilot, lambda: app.clipboard.startswith("cnn fp32, 1 CPU share: Resident data: 2.")
            )
            app.screen.query_one(LinkLine).focus()
            await pilot.press("enter")
            await wait_until(pilot, lambda: f"{origin.name}" in screen_text(app).splitlines()[0])
            await wait_until(pilot, lambda: len(app.screen.query(LinkLine)) == 2)
            app.screen.query(LinkLine).first().focus()
            await pilot.press("enter")
            await wait_until(pilot, lambda: isinstance(app.screen, MonitorScreen))
            await wait_for_text(pilot, "f From", "running")
            await pilot.press("f")
            await wait_for_text(pilot, "tried: ")
