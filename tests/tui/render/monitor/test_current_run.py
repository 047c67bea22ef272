"""The run that is going on, its phases and the log."""

import re

import pytest
from building.all_kinds import CPU_SAMPLE
from building.recorded import recorded_session
from building.sessions import opening, rank_up, spec, steps
from driving.rendered import lines_of
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, LogMessage, PhaseChanged, RunStarted, Sampled, Window
from gpubench_tui.engine.record.session import Session, fold
from gpubench_tui.engine.record.silence import first_step
from gpubench_tui.tui.cli.progress import ProgressLines
from gpubench_tui.tui.render.monitor.current_run import current_run
from gpubench_tui.tui.render.monitor.logs import session_log


def test_the_present_run_says_how_sure_it_is() -> None:
    text = current_run(recorded_session(2, until=3.6), 60).plain
    assert "measuring" in text
    assert "window 6" in text and "samples/s" in text
    assert re.search(r"precision ±\d\.\d%, goal ±1\.0% █", text)
    assert "about 0:0" in text


def test_a_run_by_epochs_tells_epoch_and_accuracy() -> None:
    text = current_run(recorded_session(2, until=3.0, epochs=6), 60).plain
    assert "measuring epoch 5 of 6: window 5" in text
    assert re.search(r"test accuracy \d\d\.\d% [▁▂▃▄▅▆▇█]{4}", text)


def test_a_silent_rank_is_noticed() -> None:
    state = recorded_session(2, until=3.0)
    state.elapsed += 20
    assert "no step reported by a rank for 0:20; given up at 0:30" in current_run(state, 60).plain


@pytest.mark.parametrize(
    ("compiled", "said"),
    [
        (False, "first step: 1:28 of at most 2:00 (measure.hang_seconds)"),
        (
            True,
            "first step: 1:28 of at most 10:00 (5 x measure.hang_seconds, for torch.compile)",
        ),
    ],
)
def test_the_wait_for_the_first_step_has_its_limit(compiled: bool, said: str) -> None:
    """On the screen and in lines of progress, until a step has ended."""
    waiting = spec("a", "ddp", 2, workloads=[Workload(compile=compiled)])
    begun: list[Event] = [
        *opening(waiting),
        RunStarted(at=0.0, run="a"),
        *(event for rank in range(2) for event in rank_up("a", rank)),
        *(PhaseChanged(at=2.0 + rank, run="a", rank=rank, phase="warming up") for rank in range(2)),
    ]
    state, progress, lines = Session(), ProgressLines(), list[str]()
    sampled = [Sampled(at=2.0 + second, gpus=[], cpu=CPU_SAMPLE) for second in range(89)]
    for event in [*begun, *sampled]:
        state.apply(event)
        lines += progress.of_event(event, state)
    assert said in current_run(state, 120).plain
    told = [line for line in lines if "first step:" in line]
    assert told[0].startswith("[0:12] ddp x2: first step: 0:10 of at most ")
    assert len(told) == 8, "one in ten seconds"
    state.apply(PhaseChanged(at=90.0, run="a", rank=1, phase="warming up", note="compiling", compiling=True))
    assert (
        str(first_step(state.runs["a"], 92.0))
        == "first step: 1:30 of at most 30:00 (torch.compile is at work)"
    )
    for rank in range(2):
        state.apply(steps("a", rank, 0, [90.0], at=92.0))
    assert first_step(state.runs["a"], 93.0) is None
    assert "first step" not in current_run(state, 120).plain


def test_nothing_is_cut_off_in_the_panel_on_80_columns() -> None:
    late = recorded_session(2, until=3.0)
    late.apply(LogMessage(at=500.0, level="info", text=""))
    narrow, wide = (lines_of(current_run(late, width))[-1] for width in (38, 90))
    assert narrow.endswith(" left") and wide.endswith(" takes longer")
    epochs = lines_of(current_run(recorded_session(2, until=1.0, epochs=6), 38))
    assert "test accuracy: after the first epoch" in epochs


def test_the_log_keeps_the_newest_lines() -> None:
    said = [LogMessage(at=float(number), level="info", text=f"line {number}") for number in range(900)]
    lines = lines_of(session_log(said))
    assert lines[-1] == "14:59 line 899"
    assert len(lines) == 300


@pytest.mark.parametrize(
    ("mode", "before_end", "said"),
    [
        ("single", 0.07, "detail: timing the parts of a step"),
        ("ddp", 0.035, "detail: timing communication"),
    ],
)
def test_what_comes_after_the_windows_is_said_in_words(mode: str, before_end: float, said: str) -> None:
    run = next(run for run in recorded_session(2).runs.values() if run.spec.mode == mode)
    assert run.finished_at is not None
    text = current_run(recorded_session(2, until=run.finished_at - before_end), 60).plain
    assert said in text
    assert "left" in text and "100%" not in text


def test_a_run_is_said_to_take_no_longer_than_its_session() -> None:
    state = recorded_session(2, until=3.0)
    assert "about 0:01 left" not in current_run(state, 60).plain
    assert "about 0:01 left" in current_run(state, 60, most_left=0.5).plain
    assert current_run(state, 60, most_left=500.0) == current_run(state, 60)


def test_an_interval_wider_than_the_figure_is_not_yet_known() -> None:
    """The first windows may differ by orders of magnitude."""
    for epochs in (0, 3):
        measure = Measure(epochs=epochs)
        rates = [1, 1, 5000, 2, 1] * 2
        windows = [window_event(index, rate) for index, rate in enumerate(rates)]
        state = fold([*opening(spec("a", "single", measure=measure)), RunStarted(at=0, run="a"), *windows])
        text = current_run(state, 60).plain
        assert "±" not in text.replace("goal ±1.0%", "")
        assert epochs or "precision not yet known, goal ±1.0%" in text


def window_event(index: int, samples: int) -> Window:
    return Window(at=index + 1.0, run="a", rank=0, index=index, steps=1, samples=samples, seconds=1.0)
