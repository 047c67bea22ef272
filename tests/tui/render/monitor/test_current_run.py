"""The run that is going on, its phases and the log."""

import re

import pytest
from building.recorded import recorded_session
from building.sessions import opening, spec
from driving.rendered import lines_of
from gpubench_tui.engine.plan.preset import Measure
from gpubench_tui.engine.record.events import LogMessage, RunStarted, Window
from gpubench_tui.engine.record.session import fold
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
