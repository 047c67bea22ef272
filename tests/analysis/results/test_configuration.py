import math
import random
from collections.abc import Sequence

import pytest
from building.sessions import (
    arithmetic,
    breakdown,
    communication,
    evaluations,
    failed,
    measured,
    opening,
    session,
    spec,
)
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.analysis.results.result import result_of
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event


def planned(repeats: int) -> list[Event]:
    """single and ddp on two devices, in turns."""
    specs = []
    for repeat in range(1, repeats + 1):
        specs += [
            spec(f"01-r{repeat}", "single", baseline=f"01-r{repeat}", repeat_of=("01-r1", repeat)),
            spec(f"02-r{repeat}", "ddp", 2, baseline=f"01-r{repeat}", repeat_of=("02-r1", repeat)),
        ]
    return opening(*specs)


def done(single: Sequence[float], ddp: Sequence[float]) -> list[Event]:
    """Seconds of a window of each repeat; a window is 640 samples of a rank."""
    events: list[Event] = []
    for repeat, (alone, both) in enumerate(zip(single, ddp, strict=True), 1):
        events += measured(f"01-r{repeat}", [[alone] * 5])
        events += measured(f"02-r{repeat}", [[both] * 5] * 2)
    return events


def test_repeats_share_one_result() -> None:
    folded = session(planned(3), done([1.0, 1.1, 1.21], [1.0, 1.0, 1.0]))
    single, ddp = analyse(folded).results
    assert (single.run, single.label, single.repeats, single.windows) == ("01-r1", "single x1", 3, 15)
    assert single.repeat_throughputs == tuple(640 / seconds for seconds in (1.0, 1.1, 1.21))
    assert single.throughput == pytest.approx(640 / 1.1), "their geometric mean"
    assert single.repeat_spread == pytest.approx(0.21)
    assert single.interval is not None
    half = 4.3027 * math.log(1.1) / math.sqrt(3)
    assert single.interval == pytest.approx(
        (640 / 1.1 * math.exp(-half), 640 / 1.1 * math.exp(half)), rel=1e-4
    )
    assert ddp.label == "ddp x2"
    assert analyse(folded).headline.startswith("ddp on 2 devices is 2.20x as fast as single")


def test_each_repeat_is_held_against_the_baseline_of_its_own_turn() -> None:
    # The machine slows down by half; the speedup is 1.6 in every turn.
    folded = session(planned(3), done([1.0, 1.25, 1.5], [1.25, 1.5625, 1.875]))
    ddp = analyse(folded).results[1]
    assert ddp.speedup == pytest.approx(1.6)
    assert ddp.speedup_interval == pytest.approx((1.6, 1.6)), "drift cancels"
    assert ddp.interval is not None
    assert ddp.interval[1] / ddp.interval[0] > 2, "and does not in the throughput"


def test_the_interval_over_repeats_contains_the_truth_as_often_as_it_says() -> None:
    source, inside = random.Random(1), 0
    for _ in range(200):
        single = [math.exp(source.gauss(0, 0.05)) for _ in range(3)]
        ddp = [math.exp(source.gauss(0, 0.05)) for _ in range(3)]
        interval = analyse(session(planned(3), done(single, ddp))).results[1].speedup_interval
        assert interval is not None
        inside += interval[0] <= 2 <= interval[1]
    assert inside / 200 == pytest.approx(0.95, abs=0.04)


def test_one_repeat_is_the_run_itself() -> None:
    folded = session(planned(1), done([1.0], [1.0]))
    single, ddp = analyse(folded).results
    assert (single.repeats, single.repeat_throughputs, single.repeat_spread) == (1, (), None)
    assert ddp.speedup == pytest.approx(2)
    assert result_of(folded, "02-r1").throughput == ddp.throughput


def test_a_run_by_itself_is_not_its_configuration() -> None:
    folded = session(planned(2), done([1.0, 2.0], [1.0, 1.0]))
    second = result_of(folded, "01-r2")
    assert (second.run, second.label, second.throughput) == (
        "01-r2",
        "single x1, repeat 2",
        pytest.approx(320),
    )
    assert result_of(folded, "02-r2").speedup == pytest.approx(4), "against the baseline of its turn"


def without(events: Sequence[Event], *runs: str) -> list[Event]:
    return [event for event in events if getattr(event, "run", None) not in runs]


def test_a_repeat_that_failed_does_not_count_and_says_so() -> None:
    events = without(done([1.0, 1.0, 9.0], [1.0, 1.0, 1.0]), "01-r3")
    single, ddp = analyse(session(planned(3), events, failed("01-r3", "no luck"))).results
    assert (single.state, single.repeats) == ("measured", 2)
    assert single.throughput == pytest.approx(640)
    assert single.notes == ("repeat 3 of 3 does not count: failed (no luck)",)
    assert ddp.speedup == pytest.approx(2), "of the two turns that have both"


def test_of_repeats_that_all_failed_one_speaks() -> None:
    (single, *_) = analyse(
        session(planned(2), failed("01-r1", "no luck"), failed("01-r2", "no luck"))
    ).results
    assert (single.state, single.throughput) == ("failed", None)
    assert single.failure is not None


def test_a_configuration_that_is_still_repeated_shows_what_it_has() -> None:
    events = without(done([1.0, 1.0], [1.0, 1.0]), "02-r2")
    ddp = analyse(session(planned(2), events)).results[1]
    assert ddp.throughput == pytest.approx(1280)
    assert ddp.repeats == 1


def test_details_of_all_repeats_are_taken_together() -> None:
    said: list[Event] = []
    for repeat, forward in ((1, 0.01), (2, 0.03)):
        run = f"02-r{repeat}"
        for rank in (0, 1):
            said.append(breakdown(run, rank, forward=[forward] * 5, backward=[0.02] * 5))
            said.append(
                communication(run, rank, [(1_000_000, [1.0, 2.0], [1.01, 2.01])], [0.05] * 3, [0.04] * 3)
            )
    ddp = analyse(session(planned(2), done([1.0, 1.0], [1.0, 1.0]), said)).results[1]
    assert ddp.phases is not None
    assert (ddp.phases.steps, ddp.phases.seconds["forward"]) == (10, pytest.approx(0.02))
    assert ddp.communication is not None
    assert ddp.communication.sync_cost is not None
    assert ddp.communication.sync_cost.n == 6
    assert ddp.communication.buckets[0].busbw == pytest.approx(1e8)


def test_accuracy_is_the_mean_of_the_repeats() -> None:
    folded = session(
        planned(2),
        done([1.0, 1.0], [1.0, 1.0]),
        evaluations("01-r1", 0, [0.2, 0.5], seconds=3.0),
        evaluations("01-r2", 0, [0.2, 0.7], seconds=5.0),
    )
    single = analyse(folded).results[0]
    assert (single.epochs, single.test_accuracy, single.epoch_seconds) == (2, pytest.approx(0.6), 4.0)


def test_side_by_side_is_held_against_all_repeats_alone() -> None:
    cnn = Workload(name="cnn")
    specs = []
    for repeat in (1, 2):
        specs += [
            spec(f"01-r{repeat}", "single", workloads=[cnn], repeat_of=("01-r1", repeat)),
            spec(f"02-r{repeat}", "concurrent", 2, workloads=[cnn, cnn], repeat_of=("02-r1", repeat)),
        ]
    folded = session(
        opening(*specs),
        *(measured(f"01-r{repeat}", [[seconds] * 5]) for repeat, seconds in ((1, 1.0), (2, 1.21))),
        *(measured(f"02-r{repeat}", [[seconds] * 5] * 2) for repeat, seconds in ((1, 1.1), (2, 1.331))),
    )
    both = analyse(folded).results[1]
    assert both.parts[0].alone == pytest.approx(640 / 1.1)
    assert both.parts[0].side_by_side.throughput == pytest.approx(640 / 1.21)
    assert both.concurrency_gain == pytest.approx(2 / 1.1)
    assert both.concurrency_gain_interval == pytest.approx((2 / 1.1, 2 / 1.1)), "the same in each turn"


def test_the_report_shows_how_far_repeats_lie_apart() -> None:
    text = markdown(analyse(session(planned(3), done([1.0, 1.1, 1.21], [1.0, 1.0, 1.0]))))
    assert "- single x1: 3 repeats of 640, 582, 529 samples/s, a range of 21.0%" in text
    assert "Repeats were interleaved." in text


def test_one_repeat_on_a_busy_machine_does_not_lower_the_peak() -> None:
    said = [arithmetic(f"01-r{repeat}", 0, 10**9, peak) for repeat, peak in ((1, 9e12), (2, 3e12), (3, 8e12))]
    compute = analyse(session(planned(3), done([1.0] * 3, [1.0] * 3), said)).results[0].compute
    assert compute is not None
    assert compute.peak_flop_per_second == 8e12
