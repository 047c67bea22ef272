"""A tune by the diagnoses of its runs: what they propose is tried, and the best is diagnosed anew."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest
from building.tunes import SETTLED, gone_on, opened
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.tuning.diagnosed import diagnoses_of
from gpubench_tui.engine.analysis.tuning.tuning import Tuning, tuning_of
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Cost
from gpubench_tui.engine.record.session import Session, fold
from msgspec.structs import replace

LOADED = replace(SETTLED, placement="loader", loader_workers=1, prefetch=8)


def seconds(run: RunSpec) -> tuple[float, float]:
    """Wait for a batch and computation: resident data need no wait, more workers half of it."""
    workload = run.workload
    wait = 0.0 if workload.placement == "device" else 0.06 / max(1, min(2, workload.loader_workers))
    return wait, 0.04


def rate(run: RunSpec) -> float:
    return 64 / sum(seconds(run)) * (1 + 0.004 * random.Random(run.id).random())


def detail(run: RunSpec) -> Mapping[str, Sequence[float]]:
    wait, computation = seconds(run)
    return {"input": [wait] * 20, "forward": [computation / 2] * 20, "backward": [computation / 2] * 20}


def tuned(*allow: Cost) -> tuple[Session, Tuning]:
    session = fold(gone_on(opened(allow=allow, workload=LOADED), rate, detail=detail))
    tuning = tuning_of(session)
    assert tuning is not None
    return session, tuning


def test_the_remedies_of_a_slow_loader_are_tried_and_what_cures_it_ends_the_tune() -> None:
    session, tuning = tuned("memory")
    (attempt,) = tuning.attempts
    assert attempt.diagnosis == "input-bound" and attempt.state == "kept"
    assert tuning.kept == {"placement": "device"}
    assert attempt.remedy.ceiling is not None and attempt.gain is not None
    assert attempt.gain.value == pytest.approx(2.5, rel=0.01)
    assert attempt.gain.value <= attempt.remedy.ceiling * 1.01
    names = [each.name for each in diagnoses_of(session, tuning.best)]
    assert "input-bound" not in names and "input-bound" in [
        each.name for each in diagnoses_of(session, tuning.start)
    ]
    assert analyse(session).headline.endswith("by 1 of 1 change: resident data")


def test_what_remains_of_it_is_tried_next_on_the_new_best() -> None:
    session, tuning = tuned()
    first, *more = tuning.attempts
    assert first.remedy.changes.keys() == {"loader_workers"} and first.state == "kept"
    assert "input-bound" in [each.name for each in diagnoses_of(session, tuning.best)], "half of it remains"
    assert more and all(each.state == "refused" for each in more)
    not_tried = {each.remedy.name: each.why for each in tuning.tried if each.state == "not tried"}
    assert not_tried["resident data"] == "it takes more memory, which is not allowed"
