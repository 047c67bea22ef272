"""Cost of the detail phase to the windows before it, and of timing the parts of a step to that step.

    python benchmarks/detail.py

Sessions in turns, with the closer look and without. First ratio: a step in the fastest window of the ones to
that of the others, which other work on the machine disturbs least. Second, within each run: a step that was
taken apart to a step in its windows. Target: both 1.00, within the noise that is printed beside them.
"""

from __future__ import annotations

from statistics import median, quantiles

from gpubench_tui.engine.record.run import RunState
from gpubench_tui.engine.record.session import fold
from sessions import run_session

PAIRS = 6
DETAIL = 40
"""Number of steps in each run whose parts are timed."""
SHORT = [
    "workload.images=2000",
    "measure.window_seconds=0.1",
    "measure.windows=12",
    "measure.seconds=1.2",
    "measure.target=0",
]


def main() -> None:
    pairs: dict[str, list[tuple[RunState, RunState]]] = {}
    for number in range(PAIRS):
        details = (DETAIL, 0) if number % 2 else (0, DETAIL)
        sessions = {detail: run_quickstart(detail) for detail in details}
        for looked, plain in zip(sessions[DETAIL], sessions[0], strict=True):
            pairs.setdefault(looked.spec.label, []).append((looked, plain))
    print(f"medians of {PAIRS} pairs, ± half the distance between their quartiles")
    print(f"{'run':<12}{'window step':>14}{'with/without':>19}{'apart/windows':>19}")
    for label, runs in pairs.items():
        windows = median(window_step(looked) for looked, _ in runs)
        with_without = spread([fastest(looked) / fastest(plain) for looked, plain in runs])
        apart = spread([detail_step(looked) / window_step(looked) for looked, _ in runs])
        print(f"{label:<12}{1e3 * windows:>11.2f} ms{with_without:>19}{apart:>19}")


def run_quickstart(detail: int) -> list[RunState]:
    session = fold(run_session("quickstart", [*SHORT, f"measure.detail={detail}"]))
    return [session.runs[run.id] for run in session.plan.to_run]


def window_step(run: RunState) -> float:
    """Return the median seconds of a step in the windows."""
    return median(window.seconds / window.steps for window in run.complete_windows)


def fastest(run: RunState) -> float:
    """Return the seconds of a step in the fastest window."""
    return min(window.seconds / window.steps for window in run.complete_windows)


def detail_step(run: RunState) -> float:
    """Return the median seconds, over all ranks, of a step whose parts were timed."""
    return median(step for rank in run.ranks.values() if rank.breakdown for step in rank.breakdown.step)


def spread(ratios: list[float]) -> str:
    low, _, high = quantiles(ratios, n=4)
    return f"{median(ratios):.3f} ± {(high - low) / 2:.3f}"


if __name__ == "__main__":
    main()
