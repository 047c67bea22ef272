"""The analysis of a session: everything that shows one is given it, and computes nothing again."""

from collections.abc import Callable

import pytest
from building.sessions import failed, measured, opening, session, spec
from gpubench_tui.engine.analysis.analysis import Analysis, analyse
from gpubench_tui.engine.analysis.export import FORMATS, render
from gpubench_tui.engine.analysis.report.terminal import terminal_report
from gpubench_tui.engine.analysis.results import result as result_module
from gpubench_tui.engine.record.session import Session

STEADY = [1.0, 1.01, 0.99, 1.0, 1.02]
REPORTS: dict[str, Callable[[Analysis], str]] = {
    **{form: lambda analysis, form=form: render(analysis, form) for form in FORMATS},  # type: ignore[misc]
    "terminal": lambda analysis: terminal_report(analysis, 100),
}


@pytest.fixture
def folded() -> Session:
    return session(
        opening(spec("single", "single"), spec("ddp", "ddp", 2, baseline="single"), spec("dp", "dp", 2)),
        measured("single", [STEADY]),
        measured("ddp", [STEADY, STEADY]),
        failed("dp", "no memory"),
    )


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs of which a result was computed, in order."""
    found: list[str] = []
    compute = result_module.compute_result

    def noted(*given: object) -> result_module.Result:
        made = compute(*given)  # type: ignore[arg-type]
        found.append(made.run)
        return made

    monkeypatch.setattr(result_module, "compute_result", noted)
    return found


def test_results_diagnoses_and_headline_belong_together(folded: Session) -> None:
    analysis = analyse(folded)
    assert [result.run for result in analysis.results] == ["single", "ddp", "dp"]
    assert (
        analysis.headline
        == "ddp on 2 devices is 2.00x as fast as single (efficiency 100%); 1 of 3 runs failed: no memory"
    )
    assert {name for each in analysis.diagnoses for name in each.runs} <= set(folded.runs)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_computes_each_result_once(name: str, folded: Session, computed: list[str]) -> None:
    assert REPORTS[name](analyse(folded))
    assert computed == ["single", "ddp", "dp"]
