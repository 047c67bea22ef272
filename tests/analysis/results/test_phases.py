import random

import pytest
from building.sessions import breakdown, measured, opening, session, spec
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.analysis.report.phases import phase_bar
from gpubench_tui.engine.analysis.results.phases import PARTS, Phases
from gpubench_tui.engine.analysis.results.result import result_of
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Breakdown, Event
from gpubench_tui.engine.record.session import Session

TYPICAL = {
    "input": 0.001,
    "transfer": 0.0005,
    "forward": 0.010,
    "backward": 0.020,
    "exposed": 0.002,
    "optimizer": 0.003,
}
STEPS = 20


def noisy(source: random.Random, seconds: float) -> list[float]:
    return [seconds * source.uniform(0.95, 1.05) for _ in range(STEPS)]


def rank_of(source: random.Random, run: str, rank: int, delays: dict[str, float]) -> Breakdown:
    parts = {name: noisy(source, seconds + delays.get(name, 0.0)) for name, seconds in TYPICAL.items()}
    return breakdown(run, rank, **parts)


def ddp(*breakdowns: Event) -> Session:
    """Two ranks whose windows have steps of 40 ms."""
    return session(opening(spec("ddp", "ddp", 2)), measured("ddp", [[0.2] * 6] * 2), breakdowns)


def phases_of(folded: Session, run: str = "ddp") -> Phases:
    found = result_of(folded, run).phases
    assert found is not None
    return found


@pytest.mark.parametrize("part", ["input", "forward", "backward", "optimizer", "unaccounted"])
def test_a_known_delay_is_attributed_to_its_part_and_its_rank(part: str) -> None:
    source, delay = random.Random(1), 0.008
    delayed = rank_of(source, "ddp", 1, {part: delay})
    if part == "unaccounted":
        delayed = breakdown("ddp", 1, **{name: noisy(source, s) for name, s in TYPICAL.items()})
        delayed.step[:] = [step + delay for step in delayed.step]
    found = phases_of(ddp(rank_of(source, "ddp", 0, {}), delayed))
    fast, slow = found.ranks
    for name in PARTS:
        expected = delay if name == part else 0.0
        assert slow.seconds[name] - fast.seconds[name] == pytest.approx(expected, abs=0.1 * delay)
        assert slow.medians[name] - fast.medians[name] == pytest.approx(expected, abs=0.1 * delay)
    if part != "unaccounted":
        assert found.slowest == 1


def test_who_waits_for_the_slowest_is_not_the_slowest() -> None:
    source = random.Random(2)
    found = phases_of(
        ddp(rank_of(source, "ddp", 0, {"exposed": 0.05}), rank_of(source, "ddp", 1, {"backward": 0.05}))
    )
    assert found.slowest == 1
    assert found.ranks[0].shares["exposed"] > 0.5 > found.ranks[1].shares["exposed"]


def test_shares_add_up_to_the_step() -> None:
    found = phases_of(ddp(rank_of(random.Random(3), "ddp", 0, {}), rank_of(random.Random(4), "ddp", 1, {})))
    for shares in (found.shares, *(rank.shares for rank in found.ranks)):
        assert sum(shares.values()) == pytest.approx(1)
    assert sum(found.seconds.values()) == pytest.approx(found.step_seconds)


def test_a_loader_late_for_every_fourth_step_is_seen() -> None:
    one = breakdown("ddp", 0, input=[0.0, 0.0, 0.0, 0.04] * 5, forward=[0.01] * STEPS)
    found = phases_of(ddp(one)).ranks[0]
    assert found.shares["input"] == pytest.approx(0.5)
    assert found.medians["input"] == 0


def test_the_step_is_held_against_that_of_the_windows() -> None:
    found = phases_of(ddp(breakdown("ddp", 0, forward=[0.042] * STEPS)))
    assert found.window_step_seconds == pytest.approx(0.040)
    assert found.difference == pytest.approx(0.05)
    assert found.notes == ()
    (note,) = phases_of(ddp(breakdown("ddp", 0, forward=[0.060] * STEPS))).notes
    assert "50.0% longer in the detail phase" in note


@pytest.mark.parametrize(("share", "said"), [(0.04, False), (0.06, True)])
def test_much_that_is_unaccounted_for_is_said(share: float, said: bool) -> None:
    one = breakdown("ddp", 0, forward=[0.04 * (1 - share)] * STEPS, unaccounted=[0.04 * share] * STEPS)
    found = phases_of(ddp(one))
    assert found.shares["unaccounted"] == pytest.approx(share)
    assert any("6.0% of a step is unaccounted for" in note for note in found.notes) is said


def test_parts_that_overlap_are_said_to() -> None:
    one = breakdown("ddp", 0, forward=[0.04] * STEPS)
    one.step[:] = [0.03] * STEPS
    assert any("overlap by 33.3%" in note for note in phases_of(ddp(one)).notes)


def test_modes_that_speak_within_forward_and_backward_say_so() -> None:
    folded = session(
        opening(spec("dp", "dp", 2)),
        measured("dp", [[0.2] * 5]),
        [breakdown("dp", 0, forward=[0.04] * STEPS)],
    )
    assert phases_of(folded, "dp").notes == (
        "dp communicates within forward and backward, which include that time",
    )


def test_without_a_detail_phase_there_is_nothing_to_say() -> None:
    folded = ddp()
    assert result_of(folded, "ddp").phases is None
    assert "Step time breakdown" not in markdown(analyse(folded))
    empty = Breakdown(
        at=8.0,
        run="ddp",
        rank=0,
        step=[],
        input=[],
        transfer=[],
        forward=[],
        backward=[],
        exposed=[],
        optimizer=[],
    )
    assert result_of(ddp(empty), "ddp").phases is None


def test_independent_trainings_have_bars_of_their_own() -> None:
    both = spec("both", "concurrent", 2, workloads=[Workload(name="cnn"), Workload(name="vit")])
    folded = session(
        opening(both),
        measured("both", [[0.2] * 5] * 2),
        [breakdown("both", 0, forward=[0.04] * 5), breakdown("both", 1, backward=[0.08] * 5)],
    )
    text = markdown(analyse(folded))
    assert f"concurrent x2 rank 0 cnn {'f' * 50}  40.0 ms" in text
    assert f"concurrent x2 rank 1 vit {'b' * 50}  80.0 ms" in text


def test_a_bar_is_as_long_as_it_should_and_in_proportion() -> None:
    shares = dict.fromkeys(PARTS, 0.0) | {"forward": 0.333, "backward": 0.333, "optimizer": 0.334}
    assert phase_bar(shares, 50) == "f" * 17 + "b" * 16 + "o" * 17
    equal = dict.fromkeys(PARTS, 1 / len(PARTS))
    assert len(phase_bar(equal, 50)) == 50
    overlapping = dict.fromkeys(PARTS, 0.0) | {"forward": 1.2, "unaccounted": -0.2}
    assert phase_bar(overlapping, 10) == "f" * 10


def test_the_report_shows_ranks_shares_and_the_difference() -> None:
    source = random.Random(5)
    text = markdown(analyse(ddp(rank_of(source, "ddp", 0, {}), rank_of(source, "ddp", 1, {"forward": 0.01}))))
    assert "```text\nddp x2 rank 0 " in text
    assert " ms slowest\n" in text
    alike = markdown(analyse(ddp(*(rank_of(random.Random(6), "ddp", rank, {}) for rank in (0, 1)))))
    assert " slowest\n" not in alike, "no rank is slower than the noise"
    (row,) = [line for line in text.splitlines() if line.startswith("| ddp x2 |") and "+" in line]
    assert "40.0" in row
    assert "step time breakdown" in text, "and how it was obtained"
