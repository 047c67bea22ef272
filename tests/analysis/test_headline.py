"""The session in one sentence: of the most devices, by honest names, and with whatever spoils it."""

import pytest
from building.sessions import measured, opening, session, spec, steps
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.diagnosis.case import Diagnosis
from gpubench_tui.engine.analysis.headline import headline as headline_of
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event
from msgspec.structs import replace

STEADY = [1.0, 1.01, 0.99, 1.0, 1.02]
SINGLE = spec("single", "single", baseline="single")


def times(factor: float) -> list[float]:
    return [factor * seconds for seconds in STEADY]


def broken(run: str) -> Event:
    return replace(steps(run, 0, 0, [0.1] * 3), loss=[2.0, None, None])


def test_the_most_devices_are_preferred_to_the_greatest_speedup() -> None:
    two, four = (spec(f"d{count}", "ddp", count, baseline="single") for count in (2, 4))
    folded = session(
        opening(SINGLE, four, two),
        measured("single", [STEADY]),
        measured("d4", [times(4.0)] * 4),
        measured("d2", [times(1.1)] * 2),
    )
    assert analyse(folded).headline.startswith("ddp on 4 devices is not measurably faster than single (95%: ")


def test_one_device_is_never_called_ddp() -> None:
    one = replace(spec("d1", "ddp", 1, baseline="single"), label="ddp x1, batch 128")
    two = spec("d2", "ddp", 2, baseline="d1")
    wrapped = [measured("d1", [times(1.2)])]
    below_single = analyse(session(opening(SINGLE, one), measured("single", [STEADY]), *wrapped)).headline
    assert below_single == "one wrapped device is 0.83x as fast as single"
    alone = analyse(session(opening(one), *wrapped)).headline
    assert alone == "one wrapped device, batch 128 trains 533 samples/s"
    baseline = analyse(session(opening(one, two), *wrapped, measured("d2", [times(1.2)] * 2))).headline
    assert baseline == "ddp on 2 devices is 2.00x as fast as one wrapped device (efficiency 100%)"


def test_a_severe_diagnosis_of_either_run_follows() -> None:
    ddp = spec("ddp", "ddp", 2, baseline="single")
    whole = [opening(SINGLE, ddp), measured("single", [STEADY]), measured("ddp", [STEADY] * 2)]
    sound = "ddp on 2 devices is 2.00x as fast as single (efficiency 100%)"
    assert analyse(session(*whole)).headline == sound
    for run in ("single", "ddp"):
        headline = analyse(session(*whole, [broken(run)])).headline
        assert headline == f"{sound}; not credible: training diverged"
    fast = [opening(SINGLE, ddp), measured("single", [STEADY]), measured("ddp", [times(0.5)] * 2)]
    headline = analyse(session(*fast, [broken("ddp")])).headline
    assert headline.endswith("; not credible: training diverged, super-linear")


@pytest.mark.parametrize(
    ("name", "clause"),
    [("input-bound", "; severe: input-bound"), ("busy machine", "; not credible: busy machine")],
)
def test_what_explains_a_figure_does_not_discredit_it(name: str, clause: str) -> None:
    found = analyse(session(opening(SINGLE), measured("single", [STEADY])))
    severe = Diagnosis(name=name, severity="severe", sentence="", evidence=(), advice="", runs=("single",))
    assert headline_of(found.inquiry._replace(diagnoses=[severe])) == found.headline + clause


def test_what_spoils_another_run_does_not() -> None:
    other = spec("other", "single", workloads=[Workload(name="other", batch=4)])
    folded = session(
        opening(SINGLE, spec("ddp", "ddp", 2, baseline="single"), other),
        measured("single", [STEADY]),
        measured("ddp", [STEADY] * 2),
        measured("other", [STEADY]),
        [broken("other")],
    )
    assert "training diverged" in {each.name for each in analyse(folded).diagnoses}
    assert "not credible" not in analyse(folded).headline


def test_throughputs_and_gains_carry_it_too() -> None:
    alone = session(opening(spec("a", "single")), measured("a", [STEADY]), [broken("a")])
    assert "trains 640 samples/s; not credible: training diverged" in analyse(alone).headline
    cnn, vit = Workload(name="cnn"), Workload(name="vit")
    specs = [spec("c", "single", workloads=[cnn]), spec("v", "single", workloads=[vit])]
    both = session(
        opening(*specs, spec("both", "concurrent", 2, workloads=[cnn, vit])),
        measured("c", [STEADY]),
        measured("v", [STEADY]),
        measured("both", [STEADY, STEADY]),
        [broken("both")],
    )
    headline = analyse(both).headline
    assert "concurrency gain" in headline and headline.endswith("; not credible: training diverged")
