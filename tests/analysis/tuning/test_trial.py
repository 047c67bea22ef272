"""Trials: the gain in pairs, and whether the diagnosis is gone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from building.sessions import CORES, HOST, breakdown, failed, measured, spec
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.export import json
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.analysis.tuning.trial import TrialOutcome, trial_outcome
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.plan.remedy import Remedy
from gpubench_tui.engine.plan.trial_plan import trial_plan
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, SessionFinished, SessionStarted
from gpubench_tui.engine.record.session import Session, fold
from gpubench_tui.engine.text.encoding import decode_json

RESIDENT = Remedy(name="resident data", changes={"placement": "device"}, costs=("memory",), ceiling=2.5)
LOADED = Workload(name="cnn", model="cnn", batch=64, images=5000, placement="loader")
SLOW_INPUT = {"input": [0.06] * 20, "forward": [0.02] * 20, "backward": [0.02] * 20}
FAST_INPUT = {"input": [0.0001] * 20, "forward": [0.02] * 20, "backward": [0.02] * 20}


def trial(
    seconds: dict[str, Sequence[float]],
    remedy: Remedy = RESIDENT,
    *,
    cures: bool = True,
    was: bool = True,
    fails: bool = False,
) -> Session:
    """A trial whose runs took these seconds for their windows, by `before` and `changed`, a value a pair."""
    run = spec("01-single-1x64-cnn", "single", workloads=[LOADED])
    plan = Plan(preset="demo", title="A demo", question="Fast?", devices=CORES[:1], runs=(run,))
    plan = trial_plan(plan, run, "input-bound", remedy, "earlier-1", HOST)
    events: list[Event] = [
        SessionStarted(at=0.0, session="t", program="0.1.0", unix_time=1.7e9, pid=1, host=HOST, plan=plan)
    ]
    for each in plan.runs:
        assert each.attempt is not None
        changed = each.attempt.changed
        values = seconds["changed" if changed else "before"]
        if each.repeat > len(values):
            continue
        if changed and fails:
            events += failed(each.id, "out of luck")
            continue
        slow = was and (not changed or not cures)
        rest = measured(each.id, [[values[each.repeat - 1]] * 5])
        events += [*rest[:-1], breakdown(each.id, 0, **(SLOW_INPUT if slow else FAST_INPUT)), rest[-1]]
    return fold([*events, SessionFinished(at=100.0, outcome="finished")])


def outcome(session: Session) -> TrialOutcome:
    found = trial_outcome(session)
    assert found is not None
    return found


def test_a_remedy_that_cures() -> None:
    session = trial({"before": [2.0, 2.02, 1.98], "changed": [1.0, 1.01, 0.99]})
    found = outcome(session)
    assert found.gain is not None and found.gain.value == pytest.approx(2.0) and found.gain.n == 3
    assert found.cured is True and found.why == ""
    assert analyse(session).headline == (
        "Resident data: 2.00x (95%: 2.00x to 2.00x), at most 2.50x was possible; input-bound is gone"
    )
    text = markdown(analyse(session))
    assert "found in the run `01-single-1x64-cnn` of the session `earlier-1`" in text
    assert "- Gain: 2.00x (95%: 2.00x to 2.00x), from 3 pairs of runs taken in turns" in text
    assert "- It takes more memory" in text and "- The diagnosis is gone" in text
    document = decode_json(json(analyse(session)).encode(), dict)
    assert document["trial"]["gain"]["n"] == 3 and document["tune"] is None


@pytest.mark.parametrize(
    ("changed", "cures", "said"),
    [
        (
            [1.9, 1.92, 1.88],
            False,
            "Resident data: 1.05x (95%: 1.05x to 1.05x), at most 2.50x was possible; input-bound remains",
        ),
        ([2.1, 1.9, 1.98], True, "Resident data: no clear gain, 1.00x (95%: "),
        ([0.5, 0.505, 0.495], True, "Resident data: 4.00x (95%: 4.00x to 4.00x), more than the 2.50x that"),
        ([4.0, 4.04, 3.96], False, "Resident data: slower, 0.50x (95%: 0.50x to 0.50x), at most"),
    ],
)
def test_a_remedy_that_does_less_or_more(changed: list[float], cures: bool, said: str) -> None:
    session = trial({"before": [2.0, 2.02, 1.98], "changed": changed}, cures=cures)
    assert analyse(session).headline.startswith(said)


def test_a_diagnosis_that_is_not_found_again_is_not_said_to_be_gone() -> None:
    session = trial({"before": [2.0, 2.0, 2.0], "changed": [1.0, 1.0, 1.0]}, was=False)
    assert outcome(session).cured is None
    assert analyse(session).headline.endswith("at most 2.50x was possible")


def test_a_remedy_that_fails_says_why() -> None:
    session = trial({"before": [2.0], "changed": [1.0]}, fails=True)
    assert outcome(session).gain is None
    assert analyse(session).headline.startswith("Resident data: failed: out of luck")


def test_before_the_first_pair_there_is_no_answer() -> None:
    session = trial({"before": [2.0], "changed": []})
    assert outcome(session).gain is None and outcome(session).cured is None
    single = trial({"before": [2.0], "changed": [1.0]})
    assert analyse(single).headline.startswith("Resident data: 2.00x, at most")


def test_a_remedy_that_this_machine_cannot_run_says_so() -> None:
    tf32 = Remedy(name="tf32", changes={"precision": "tf32"})
    session = trial({"before": [], "changed": []}, tf32)
    assert "tf32 needs an NVIDIA GPU" in analyse(session).headline


def test_other_sessions_are_no_trials() -> None:
    assert trial_outcome(Session("other")) is None
