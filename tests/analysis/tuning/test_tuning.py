"""Whole tunes on made-up machines: what they try, keep and refuse, how they end, stop and go on."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest
from building.noise import KINDS, LEVEL
from building.tunes import (
    CannotRunError,
    Rate,
    ended,
    gone_on,
    opened,
    out_of_memory,
    taken_over_by_another,
)
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.tuning.next_runs import next_runs
from gpubench_tui.engine.analysis.tuning.sequential import MOST_PAIRS
from gpubench_tui.engine.analysis.tuning.step import CONFIRMING_PAIRS, NO_REMEDY
from gpubench_tui.engine.analysis.tuning.tuning import Tuning, tuning_of
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Remedy
from gpubench_tui.engine.record.events import Event, Steps
from gpubench_tui.engine.record.session import Session, fold

from .conftest import Propose

COMPILE = Remedy(name="compile", changes={"compile": True}, ceiling=1.5)
NHWC = Remedy(name="channels last", changes={"channels_last": True}, ceiling=1.3)
BF16 = Remedy(name="bf16", changes={"precision": "bf16"}, costs=("numerics",), ceiling=2.0)
BATCH = Remedy(name="larger batch", changes={"batch": 128}, costs=("recipe",), ceiling=1.2)
REMEDIES = (COMPILE, NHWC, BF16)


def steady(run: RunSpec) -> float:
    """A machine without much noise, on which compiling brings 30%, bf16 80%, and channels last nothing."""
    gain = (1.3 if run.workload.compile else 1.0) * (1.8 if run.workload.precision == "bf16" else 1.0)
    return 1000 * gain * (1 + 0.002 * random.Random(run.id).random())


def noisy(kind: str, seed: int, gain: float = 1.0) -> Rate:
    """A machine with noise of that kind, on which compiling brings that gain and all else nothing."""
    noise: Iterator[float] = KINDS[kind](random.Random(seed))
    return lambda run: 1000 * next(noise) * (gain if run.workload.compile else 1.0)


def tuned(session: Session) -> Tuning:
    tuning = tuning_of(session)
    assert tuning is not None
    return tuning


def states(session: Session) -> dict[str, tuple[str, str]]:
    """What became of the remedies of diagnoses."""
    return {each.remedy.name: (each.state, each.why) for each in tuned(session).tried if each.diagnosis}


@pytest.mark.slow
def test_200_tunes_with_nothing_to_gain_keep_nothing(propose: Propose) -> None:
    propose(REMEDIES)
    begun = opened(allow=["numerics"])
    misled = sum(bool(tuned(fold(gone_on(begun, noisy("correlated", seed)))).kept) for seed in range(200))
    assert misled <= 10


@pytest.mark.slow
def test_tunes_find_five_percent_in_noise_of_two_and_confirm_it(propose: Propose) -> None:
    propose(REMEDIES[:2])
    begun, tunes = opened(), 80
    assert LEVEL == 0.02
    found = [tuned(fold(gone_on(begun, noisy("white", 500 + seed, gain=1.05)))) for seed in range(tunes)]
    assert sum("compile" in each.kept for each in found) >= 0.9 * tunes
    totals = [each.total for each in found if each.kept == COMPILE.changes and each.total is not None]
    held = sum(each.contains(1.05) for each in totals)
    assert held >= 0.9 * len(totals), "measured anew, the interval holds the truth as often as it says"
    assert sum(each.value for each in totals) / len(totals) == pytest.approx(1.05, abs=0.003)


def test_a_tune_from_start_to_end(propose: Propose) -> None:
    propose(REMEDIES)
    session = fold(gone_on(opened(), steady))
    tuning = tuned(session)
    assert (tuning.stage, tuning.ended, tuning.trouble) == ("ended", NO_REMEDY, "")
    assert [each.remedy.name for each in tuning.attempts] == ["compile", "channels last"], "by their ceilings"
    compiled, nhwc, bf16, _ = tuning.tried
    assert compiled.state == "kept" and compiled.gain is not None
    assert compiled.gain.value == pytest.approx(1.3, rel=0.003)
    assert (nhwc.state, nhwc.why) == ("refused", "no gain")
    assert (bf16.state, bf16.why, bf16.number) == (
        "not tried",
        "it changes the numerics, which is not allowed",
        None,
    )
    assert tuning.kept == {"compile": True} and tuning.best == compiled.changed
    assert tuning.total is not None and tuning.total.n == CONFIRMING_PAIRS and tuning.confirmed is True
    assert next_runs(session) == ()


def test_runs_of_a_pair_take_turns_and_are_compared(propose: Propose) -> None:
    propose([COMPILE])
    session = fold(gone_on(opened(), steady))
    runs = [run.spec for run in session.runs.values()]
    assert [spec.id for spec in runs[1:5]] == [
        "a01-without-r1",
        "a01-with-r1",
        "a01-with-r2",
        "a01-without-r2",
    ]
    assert len({spec.id for spec in runs}) == len(runs)
    for spec in runs[1:]:
        assert spec.attempt is not None and spec.workload.compile == spec.attempt.changed
        assert spec.measure.seconds <= 5 and spec.measure.epochs == 0
        assert session.plan.run(spec.baseline or "").repeat == spec.repeat
    detailed = [spec.id for spec in runs if spec.measure.detail]
    assert detailed == [runs[0].id, "a01-with-r4"], "so that what is kept can be diagnosed"
    (result,) = (each for each in analyse(session).results if each.run == "a01-with-r1")
    (attempt,) = tuned(session).attempts
    assert attempt.gain is not None and result.speedup == pytest.approx(attempt.gain.value)
    assert result.speedup_interval == pytest.approx(attempt.gain.interval)


def test_costs_that_are_allowed_are_paid_and_remedies_that_remain_follow(propose: Propose) -> None:
    propose(REMEDIES)
    session = fold(gone_on(opened(allow=["numerics", "recipe"]), steady))
    tuning = tuned(session)
    assert [each.remedy.name for each in tuning.kept_attempts] == ["bf16", "compile"]
    assert tuning.total is not None and tuning.total.value == pytest.approx(1.8 * 1.3, rel=0.003)
    assert analyse(session).headline.startswith("2.34x (95%: ")
    assert analyse(session).headline.endswith(" by 2 of 3 changes: bf16 and compile")


@pytest.mark.parametrize(
    ("remedy", "state", "why"),
    [
        (
            Remedy(name="it", changes={"compile": True}, ceiling=1.005),
            "not tried",
            "at most 1.00x is possible",
        ),
        (
            Remedy(name="it", changes={"precision": "tf32"}),
            "not tried",
            "cannot be run here: tf32 needs an NVIDIA GPU of compute capability 8.0 or newer",
        ),
        (
            Remedy(name="it", changes={"batch": 64, "accumulate": 2}, costs=("recipe", "memory")),
            "not tried",
            "it changes the recipe and takes more memory, which is not allowed",
        ),
    ],
)
def test_what_is_not_tried_says_why(propose: Propose, remedy: Remedy, state: str, why: str) -> None:
    propose([remedy])
    session = fold(gone_on(opened(), steady))
    assert states(session) == {"it": (state, why)}
    assert len(session.runs) == 1 and tuned(session).ended == NO_REMEDY
    assert analyse(session).headline.startswith(f"Nothing was tried: {NO_REMEDY}; ")


@pytest.mark.parametrize("changes", [{"compile": False}, {"no_such_key": 1}, {"batch": "many"}])
def test_what_changes_nothing_or_cannot_be_said_needs_no_word(
    propose: Propose, changes: dict[str, object]
) -> None:
    propose([Remedy(name="it", changes=changes)])
    assert states(fold(gone_on(opened(), steady))) == {}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (out_of_memory(64), "CUDA ran out of memory at batch 64"),
        (CannotRunError("out of memory", "no room"), "out of memory: no room"),
        (
            CannotRunError("raised", "compile: no C++ compiler was found"),
            "compile: no C++ compiler was found",
        ),
        (CannotRunError("killed", "rank 0 got SIGKILL"), "rank 0 got SIGKILL"),
    ],
)
def test_a_remedy_that_fails_is_a_result(propose: Propose, error: CannotRunError, why: str) -> None:
    def rate(run: RunSpec) -> float:
        if run.workload.compile:
            raise error
        return steady(run)

    propose([COMPILE, NHWC])
    session = fold(gone_on(opened(), rate))
    (state, reason), nhwc = states(session).values()
    assert state == "failed" and reason.endswith(why)
    assert nhwc == ("refused", "no gain"), "the tune goes on"
    assert sum(run.spec.workload.compile for run in session.runs.values()) == 1, "and tries it no second time"
    assert tuned(session).kept == {} and tuned(session).total is None
    left_out = "1 remedy was left out, which changes the recipe (--allow recipe)"
    assert analyse(session).headline == f"No change helped: 2 changes tried, none kept; {left_out}"


def test_a_remedy_that_makes_it_slower_is_refused_after_two_pairs(propose: Propose) -> None:
    propose([COMPILE])
    session = fold(gone_on(opened(), lambda run: 500.0 if run.workload.compile else steady(run)))
    assert states(session) == {"compile": ("refused", "slower")}
    assert len(session.runs) == 5


def with_broken_loss(events: list[Event], side: str) -> list[Event]:
    """The events, with a loss that is not finite in step 3 of the first run of that side."""
    steps = Steps(
        at=20.0,
        run=f"a01-{side}-r1",
        rank=0,
        first=3,
        seconds=[0.1],
        loss=[None],
        samples=[64],
        learning_rate=[0.1],
    )
    return [*events, steps]


def test_a_change_that_breaks_the_training_is_not_kept_however_fast_it_is(propose: Propose) -> None:
    propose([COMPILE])
    begun = gone_on(opened(), steady, runs=3)
    session = fold(gone_on(with_broken_loss(begun, "with"), steady))
    assert states(session) == {"compile": ("failed", "with it the loss is not finite from step 3 on")}
    assert tuned(session).kept == {} and len(session.runs) == 3
    both = with_broken_loss(with_broken_loss(begun, "with"), "without")
    assert states(fold(gone_on(both, steady)))["compile"][0] == "kept", "it was broken before"


def test_a_start_that_fails_ends_the_tune(propose: Propose) -> None:
    def rate(run: RunSpec) -> float:
        raise out_of_memory(64)

    propose(REMEDIES)
    session = fold(gone_on(opened(), rate))
    assert tuned(session).ended == "the start was not measured: CUDA ran out of memory at batch 64"
    assert len(session.runs) == 1


def test_a_gain_that_does_not_last_is_not_confirmed(propose: Propose) -> None:
    def rate(run: RunSpec) -> float:
        confirms = run.attempt is not None and run.attempt.purpose == "confirmation"
        return 1000 * (1 + 0.02 * random.Random(run.id).random()) if confirms else steady(run)

    propose([COMPILE])
    session = fold(gone_on(opened(), rate))
    tuning = tuned(session)
    assert tuning.confirmed is False and tuning.kept == {"compile": True}
    assert "1 of 1 change kept (compile), but not confirmed: 1.00x" in analyse(session).headline


@pytest.mark.parametrize(
    ("failing", "pairs", "trouble"),
    [((2,), 5, ""), (range(99), 0, "the confirmation failed: killed: rank 0 got SIGKILL")],
)
def test_a_confirmation_takes_the_pairs_that_it_gets(
    propose: Propose, failing: Sequence[int], pairs: int, trouble: str
) -> None:
    def rate(run: RunSpec) -> float:
        if run.attempt is not None and run.attempt.purpose == "confirmation" and run.repeat in failing:
            raise CannotRunError("killed", "rank 0 got SIGKILL")
        return steady(run)

    propose([COMPILE])
    tuning = tuned(fold(gone_on(opened(), rate)))
    assert tuning.stage == "ended" and tuning.trouble == trouble and tuning.kept == COMPILE.changes
    assert (tuning.total.n if tuning.total is not None else 0) == pairs


@pytest.mark.parametrize(
    ("minutes", "kept", "pairs", "elapsed"),
    [(2.0, False, 0, 15.0), (4.0, False, 0, 105.0), (4.25, True, 4, 255.0), (5.25, True, 6, 315.0)],
)
def test_the_minutes_hold_for_the_confirmation_too(
    propose: Propose, minutes: float, kept: bool, pairs: int, elapsed: float
) -> None:
    """A run takes 15 s: the start, an attempt of four pairs and a confirmation of as many take 255 s.

    The start is taken to be longer than the runs of pairs; the first of those show that they are as long.
    """
    propose([COMPILE, BF16])
    session = fold(gone_on(opened(minutes=minutes), steady))
    tuning = tuned(session)
    assert bool(tuning.kept) is kept and session.elapsed == elapsed <= 60 * minutes
    assert (tuning.total.n if tuning.total is not None else 0) == pairs
    assert tuning.confirmed is (True if kept else None)


def test_what_no_time_was_left_for_says_so(propose: Propose) -> None:
    propose(REMEDIES)
    session = fold(gone_on(opened(minutes=4.25), steady))
    assert tuned(session).ended == "the 4.25 minutes leave no time for another change"
    assert states(session)["channels last"] == ("not tried", tuned(session).ended)
    session = fold(gone_on(opened(minutes=1), steady))
    too_short = "the minute leaves no time to try a change, which takes about 3 in all"
    assert tuned(session).ended == too_short and set(states(session).values()) >= {("not tried", too_short)}


def test_time_that_runs_out_in_an_attempt_leaves_it_undecided(propose: Propose) -> None:
    propose([BF16, COMPILE])

    def rate(run: RunSpec) -> float:
        if run.workload.compile:  # a gain that takes many pairs
            return steady(run) * (1.2 if run.repeat % 2 else 1.0) / 1.3
        return steady(run)

    session = fold(gone_on(opened(allow=["numerics"], minutes=9.5), rate))
    assert states(session)["compile"] == ("refused", "no time was left to decide")
    assert tuned(session).kept == BF16.changes and tuned(session).confirmed is True
    assert (
        tuned(session).ended == "the 9.5 minutes leave no time for another change" and session.elapsed <= 570
    )


def test_it_can_be_stopped_at_any_moment_and_keeps_what_it_has(propose: Propose) -> None:
    propose(REMEDIES)
    whole = gone_on(opened(allow=["numerics"]), steady)
    kept: list[str] = []
    for count in [*range(1, 60, 3), *range(60, len(whole), 13), len(whole) - 1]:
        session = ended(whole[:count], "stopped")
        tuning = tuned(session)
        assert tuning.stage == "ended" and tuning.ended == "stopped by the user"
        assert kept == list(tuning.kept)[: len(kept)], "nothing that was kept is lost"
        kept = list(tuning.kept)
        assert analyse(session).headline.endswith("stopped by the user")
    assert kept == ["precision", "compile"]
    interrupted = tuned(ended(whole[:200], "interrupted", "the disk is full"))
    assert interrupted.ended == "interrupted: the disk is full"


def test_what_it_does_next_follows_from_the_record_alone(propose: Propose) -> None:
    """At each end of a run, from the events until then, the runs that were in fact added."""
    propose(REMEDIES)
    whole = gone_on(opened(allow=["numerics"]), steady)
    for place, event in enumerate(whole):
        if type(event).__name__ == "RunsAdded":
            assert next_runs(fold(whole[:place])) == event.runs  # type: ignore[union-attr]
            assert next_runs(fold(whole[: place + 1])) == (), "it waits for these"


@pytest.mark.parametrize("runs", [1, 4, 12, 26, 33])
def test_resumed_it_goes_on_where_it_was(propose: Propose, runs: int) -> None:
    propose(REMEDIES)
    whole = fold(gone_on(opened(allow=["numerics"]), steady))
    first = gone_on(opened(allow=["numerics"]), steady, runs=runs)
    second: list[Event] = taken_over_by_another(first)
    session = fold(gone_on(second, steady))
    assert list(session.runs) == list(whole.runs)
    assert tuned(session).total == tuned(whole).total and tuned(session).kept == tuned(whole).kept
    assert all(run.state == "measured" for run in session.runs.values())


def test_with_more_time_a_tune_that_had_ended_goes_on_and_confirms_again(propose: Propose) -> None:
    propose([COMPILE, BF16])
    first = gone_on(opened(allow=["numerics"], minutes=5.5), steady)
    assert tuned(fold(first)).kept == {"precision": "bf16"}
    session = fold(gone_on(taken_over_by_another(first), steady))
    tuning = tuned(session)
    assert tuning.kept == {"precision": "bf16", "compile": True}
    assert tuning.total is not None and tuning.total.value == pytest.approx(1.8 * 1.3, rel=0.003)


def test_runs_without_figures_end_an_attempt(propose: Propose) -> None:
    propose([COMPILE])
    session = fold(gone_on(opened(), lambda run: 0.0 if run.workload.compile else steady(run)))
    assert states(session)["compile"][0] == "refused"
    assert len(session.runs) <= 1 + 2 * MOST_PAIRS


def test_a_remedy_is_tried_once_unless_it_promises_more_with_what_was_kept(
    propose: Propose,
) -> None:
    for later, times in ((1.2, 1), (1.6, 2)):

        def rate(run: RunSpec, later: float = later) -> float:
            if run.workload.compile:
                propose([Remedy(name="channels last", changes={"channels_last": True}, ceiling=later)])
            return steady(run)

        propose(
            [
                Remedy(name="channels last", changes={"channels_last": True}, ceiling=1.4),
                Remedy(name="compile", changes={"compile": True}, ceiling=1.35),
            ]
        )
        session = fold(gone_on(opened(), rate))
        tried = [each.remedy.name for each in tuned(session).attempts]
        assert tried.count("channels last") == times and tried.count("compile") == 1


def test_no_session_but_a_tune_has_a_course() -> None:
    session = Session("other")
    assert tuning_of(session) is None and next_runs(session) == ()


def test_a_tune_that_is_looked_at_all_the_time_stands_as_one_looked_at_once(propose: Propose) -> None:
    propose([COMPILE])
    events = gone_on(opened(minutes=20), noisy("white", 2, gain=1.1))
    watched = Session()
    for number, event in enumerate(events, 1):
        watched.apply(event)
        assert tuning_of(watched) == tuning_of(fold(events[:number])), event
        assert tuning_of(watched) is tuning_of(watched), "nothing is derived again"
    assert tuned(watched).stage == "ended" and tuned(watched).kept == COMPILE.changes


def test_one_that_was_killed_before_it_decided_says_what_it_measured(propose: Propose) -> None:
    propose(REMEDIES)
    begun = opened()
    assert analyse(fold(begun)).headline == ""
    for runs in (1, 2, 4):
        said = analyse(fold(gone_on(begun, steady, runs=runs))).headline
        assert said.startswith("Nothing is decided yet: the start reaches 1,00"), said
