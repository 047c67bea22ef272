"""A session with one run of every kind: measured, skipped, failed and side by side."""

from __future__ import annotations

from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, LogMessage

from .sessions import evaluations, failed, measured, opening, spec

CNN, VIT = Workload(name="cnn", model="cnn"), Workload(name="vit|\n<b>", model="vit-small")
SPECS = (
    spec("01", "single", baseline="01", workloads=[CNN]),
    spec("02", "ddp", 2, baseline="01", workloads=[CNN]),
    spec("03", "dp", 2, baseline="01", workloads=[CNN], skip="DataParallel needs CUDA"),
    spec("04", "single", baseline="04", workloads=[VIT]),
    spec("05", "ddp", 2, baseline="04", workloads=[VIT]),
    spec("06", "concurrent", 2, workloads=[CNN, VIT]),
)
EVENTS: list[Event] = [
    *opening(*SPECS),
    *measured("01", [[1.0, 1.01, 0.99, 1.02, 1.0]]),
    *evaluations("01", 0, [0.3, 0.5, 0.4]),
    *measured("02", [[1.05, 1.06, 1.04, 1.05, 1.1], [1.06, 1.05, 1.03, 1.05, 1.1]]),
    *evaluations("02", 0, [0.35]),
    *measured("04", [[2.0, 2.01, 2.0]]),
    *failed("05", "CUDA said |no|\n\nand <i>left</i>"),
    *measured("06", [[1.1, 1.2, 1.1], [2.2, 2.1, 2.2]]),
    LogMessage(at=9.0, level="warning", text="GPU 3 was lost"),
    LogMessage(at=9.0, level="info", text="nothing to see"),
]
