"""The same training with its images resident on the device, and through a DataLoader: throughput as a ratio.

python benchmarks/placement.py
"""

from __future__ import annotations

from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.record.session import fold
from sessions import run_session

PRESET = """
title = "Placement"
question = "What does the loader cost?"
[workload]
model = "lenet"
images = 2000
batch = 64
augment = ["flip", "crop"]
[workloads.resident]
[workloads.loader-0-workers]
placement = "loader"
loader_workers = 0
[workloads.loader-1-worker]
placement = "loader"
loader_workers = 1
[measure]
windows = 10
seconds = 5
detail = 0
[matrix]
modes = ["single"]
"""


def main() -> None:
    found = analyse(fold(run_session(PRESET))).results
    resident = found[0].throughput or 0.0
    print(f"{'placement':<20}{'samples/s':>12}{'ratio':>8}")
    for result in found:
        throughput = result.throughput or 0.0
        print(f"{result.workload:<20}{throughput:>12,.0f}{throughput / resident:>8.3f}")


if __name__ == "__main__":
    main()
