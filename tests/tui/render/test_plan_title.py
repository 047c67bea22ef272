"""How many runs are done, of a plan that is known and of one that grows."""

from pathlib import Path

from building.sessions import measured, opening, spec
from gpubench_tui.engine.plan.remedy import Tune
from gpubench_tui.engine.record.events import RunsAdded, SessionFinished
from gpubench_tui.engine.record.session import fold
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.tui.data.session_watch import SessionProgress
from gpubench_tui.tui.render.monitor.plan import plan_title
from msgspec.structs import replace


def test_a_plan_that_grows_has_no_number_of_runs_until_it_is_done() -> None:
    start, skipped = spec("start", "single"), spec("more", "ddp", 8, skip="too few devices")
    session = fold([*opening(start), *measured("start", [[1.0] * 5])])
    assert plan_title(session) == "1 of 1 runs"
    session.plan = replace(session.plan, tune=Tune())
    assert plan_title(session) == "1 run so far"
    session.apply(RunsAdded(at=20.0, runs=(skipped, spec("after", "single"))))
    assert plan_title(session) == "1 run so far, 1 skipped"
    session.apply(SessionFinished(at=30.0, outcome="finished"))
    assert plan_title(session) == "2 of 2 runs, 1 skipped"


def test_the_progress_of_a_session_whose_plan_grows() -> None:
    progress = SessionProgress(SessionFolder(Path("a-tune")), "running", 4, 6, 50, grows=True)
    assert str(progress) == "a-tune is running, 4 runs so far, 50% (estimate)"
    assert str(replace(progress, grows=False)) == "a-tune is running, 4 of 6 runs, 50% (estimate)"
