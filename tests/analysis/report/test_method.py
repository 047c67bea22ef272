"""What a report says of how its figures were made."""

import pytest
from building.sessions import CORES, measured, opening, session, spec
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.plan.workload.workload import Precision, Workload

GPUS = (Device("cuda", 0, "NVIDIA A100", "GPU-a"),)


@pytest.mark.parametrize(
    ("precision", "on", "said"),
    [("fp32", GPUS, True), ("tf32", GPUS, False), ("bf16", GPUS, False), ("fp32", CORES, False)],
)
def test_what_fp32_excludes_is_said_of_gpus(precision: Precision, on: tuple[Device, ...], said: bool) -> None:
    run = spec("run", "single", workloads=(Workload(name="cnn", precision=precision),), on=on)
    report = markdown(analyse(session([*opening(run), *measured("run", [[0.2] * 5])])))
    assert ('"fp32" excludes TF32' in report) is said
