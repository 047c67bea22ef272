"""The plots of a run, their axes and sparklines."""

import pytest
from building.recorded import recorded_session
from building.sessions import opening, session, spec
from driving.rendered import lines_of
from gpubench_tui.engine.record.events import Event, PhaseChanged, RunStarted, Steps
from gpubench_tui.engine.record.series import Series
from gpubench_tui.tui.render.drawing.sparkline import sparkline
from gpubench_tui.tui.render.monitor.run_plots import PlotArea, loss_plot, throughput_plot
from gpubench_tui.tui.render.monitor.time_range import TIME_RANGES
from gpubench_tui.tui.terminal.ascii import to_ascii


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize(("width", "height"), [(38, 7), (58, 12), (98, 20)])
def test_plots_fill_their_panel_exactly_and_label_their_axes(width: int, height: int, unicode: bool) -> None:
    state, canvas = recorded_session(2, until=3.0), PlotArea(width, height, unicode)
    run = next(iter(state.runs.values()))
    for drawn in (throughput_plot(state, run, canvas), loss_plot(run, canvas)):
        lines = lines_of(drawn.content)
        assert len(lines) == height
        assert all(len(line) <= width for line in lines)
        assert any("⠀" < character <= "⣿" for character in drawn.content.plain) == unicode
    assert "0:00" in throughput_plot(state, run, canvas).content.plain
    plain = throughput_plot(state, run, PlotArea(width, height, unicode=False)).content.plain
    assert to_ascii(plain).isascii() and "o" in plain


def test_a_plot_says_what_it_shows() -> None:
    state = recorded_session(2, until=3.0)
    run = next(iter(state.runs.values()))
    assert throughput_plot(state, run, PlotArea(60, 10)).title == "Samples/s: live 6,449, median 6,369"
    later = recorded_session(2, until=8.0)
    run = next(run for run in later.runs.values() if run.state == "running")
    assert throughput_plot(later, run, PlotArea(60, 10)).title.endswith(", single x1 6,404")
    assert loss_plot(run, PlotArea(60, 10, time=TIME_RANGES[2])).title.startswith(
        "Loss over steps, last 1 min: "
    )


def test_a_plot_of_nothing_and_a_plot_without_room_say_so() -> None:
    started, done = recorded_session(2, until=0.3), recorded_session(2)
    assert "no run yet" in throughput_plot(started, None, PlotArea(60, 10)).content.plain
    run = next(iter(started.runs.values()))
    assert "waiting" in throughput_plot(started, run, PlotArea(60, 10)).content.plain
    run = next(iter(done.runs.values()))
    assert "too small" in throughput_plot(done, run, PlotArea(10, 3)).content.plain


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_an_axis_of_steps_has_whole_numbers(count: int) -> None:
    one = spec("single", "single")
    events: list[Event] = [RunStarted(at=0.5, run="single")]
    events.append(
        Steps(
            at=2.0,
            run="single",
            rank=0,
            first=0,
            seconds=[1.0] * count,
            loss=[2.0] * count,
            samples=[1] * count,
            learning_rate=[0.1] * count,
        )
    )
    run = session(opening(one), events).runs["single"]
    axis = lines_of(loss_plot(run, PlotArea(98, 12)).content)[-1].split()
    assert len(axis) >= 2 and all(number.isdigit() for number in axis), axis


def test_an_axis_stands_still_and_then_steps_on() -> None:
    everything, _, minute = TIME_RANGES
    assert everything.stretch(100.0, 100.0) == (100.0, 110.0)
    assert everything.stretch(100.0, 131.0) == everything.stretch(100.0, 155.0) == (100.0, 160.0)
    assert everything.stretch(0.0, 100_000.0) == (0.0, 100_800.0)
    assert minute.stretch(100.0, 104.0) == (100.0, 110.0)
    assert minute.stretch(100.0, 401.0) == minute.stretch(100.0, 409.0) == (350.0, 410.0)


def test_a_sparkline_ends_now_and_is_blank_before_its_series_began() -> None:
    series = Series()
    for second in range(30):
        series.add(float(second), 100.0 if second >= 20 else 0.0)
    assert sparkline(series, 100.0, 29.5, TIME_RANGES[2], 30) == " " * 15 + "▁" * 10 + "█" * 5
    assert sparkline(series, 100.0, 29.5, TIME_RANGES[0], 10) == "▁▁▁▁▁▁▃███"


def test_the_loss_in_warm_up_is_a_curve_of_its_own() -> None:
    """Training begins anew after it, and one curve would jump."""

    def steps(first: int, loss: list[float]) -> Steps:
        rows = {"seconds": [0.1] * 30, "samples": [8] * 30, "learning_rate": [0.1] * 30}
        return Steps(at=1.0, run="a", rank=0, first=first, loss=loss, **rows)  # type: ignore[arg-type]

    falling = [2.0 - 0.05 * step for step in range(30)]
    events: list[Event] = [
        *opening(spec("a", "single")),
        RunStarted(at=0.0, run="a"),
        PhaseChanged(at=0.1, run="a", rank=0, phase="warming up"),
        steps(0, falling),
    ]
    while_warm = session(events).runs["a"]
    assert loss_plot(while_warm, PlotArea(60, 12)).title == "Loss over steps: 0.550"
    events += [PhaseChanged(at=0.2, run="a", rank=0, phase="measuring"), steps(30, falling)]
    run = session(events).runs["a"]
    assert run.warmup_steps == 30
    drawn = loss_plot(run, PlotArea(60, 12))
    assert drawn.title == "Loss over steps: 0.550 (w: warm-up)" and "w" in drawn.content.plain
    styles = {str(span.style) for span in drawn.content.spans}
    assert {"$primary", "$success"} <= styles
