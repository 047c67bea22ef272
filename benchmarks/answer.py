"""Time to an answer at ±1%: seconds until quickstart's intervals are narrow enough, against a fixed duration.

python benchmarks/answer.py
"""

from __future__ import annotations

from gpubench_tui.engine.analysis.results.result import result_of
from gpubench_tui.engine.record.events import RunFinished, RunStarted
from gpubench_tui.engine.record.session import fold
from sessions import run_session

LIMIT = 60
"""Limit of the measured windows of a run, in seconds."""


def main() -> None:
    events = run_session("quickstart", ["measure.target=0.01", f"measure.seconds={LIMIT}"])
    session = fold(events)
    print(f"{'run':<12}{'seconds':>9}{'windows':>9}{'measured':>11}{'of limit':>10}   ended by")
    for run in session.plan.to_run:
        start = next(event.at for event in events if isinstance(event, RunStarted) and event.run == run.id)
        end = next(event.at for event in events if isinstance(event, RunFinished) and event.run == run.id)
        result, windows = result_of(session, run.id), session.runs[run.id].complete_windows
        measured = sum(window.seconds for window in windows)
        print(
            f"{run.label:<12}{end - start:>9.1f}{len(windows):>9}{measured:>9.1f} s"
            f"{measured / LIMIT:>10.2f}   {result.stop_reason}"
        )


if __name__ == "__main__":
    main()
