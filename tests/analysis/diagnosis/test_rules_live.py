"""Rules provoked for real: one session on the CPU whose runs each have a fault, and a machine made busy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.diagnosis.case import Diagnosis
from gpubench_tui.engine.analysis.results.result import result_of
from gpubench_tui.engine.record.session import Session, read_session

pytestmark = pytest.mark.slow

MODELS = Path(__file__).with_name("provoking_models.py")

FAULTS = f"""
title = "Faults"
question = "Is each found?"

[workload]
data = "synthetic"
images = 600
image_size = 32
batch = 8
learning_rate = 0.01

[measure]
warmup_steps = 5
window_seconds = 0.1
target = 0
seconds = 1
detail = 25

[workloads.jumpy]
model = "{MODELS}:jumpy"
[workloads.twin]
model = "{MODELS}:jumpy"
learning_rate = 0.02
[workloads.other-layout]
model = "{MODELS}:jumpy"
channels_last = true
[workloads.small]
model = "{MODELS}:asleep"
[workloads.large]
model = "{MODELS}:asleep"
batch = 16
[workloads.loader]
model = "{MODELS}:small"
batch = 64
placement = "loader"
loader_workers = 8
augment = ["flip", "crop", "rotate", "jitter"]
[workloads.resident]
model = "{MODELS}:small"
batch = 64
[workloads.late]
model = "{MODELS}:late"
[workloads.breaking]
model = "{MODELS}:breaking"
[workloads.heavy]
model = "{MODELS}:heavy"

[matrix]
modes = ["single", "ddp"]
devices = [2]
baseline = {{ mode = "single", workload = "jumpy" }}
only = [
    {{ mode = "single", workload = "jumpy" }},
    {{ mode = "single", workload = "twin" }},
    {{ mode = "single", workload = "other-layout" }},
    {{ mode = "single", workload = "small" }},
    {{ mode = "single", workload = "large" }},
    {{ mode = "single", workload = "loader" }},
    {{ mode = "single", workload = "resident" }},
    {{ mode = "single", workload = "breaking" }},
    {{ mode = "ddp", workload = "late" }},
    {{ mode = "ddp", workload = "heavy" }},
]
"""

QUIET = """
title = "Quiet"
question = "Is it?"

[workload]
model = "lenet"
images = 400
batch = 16

[measure]
warmup_steps = 5
window_seconds = 0.2
target = 0
seconds = 2
detail = 0

[matrix]
modes = ["single"]
"""


def measure(folder: Path, preset: str) -> Session:
    file = folder / "preset.toml"
    file.write_text(preset)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gpubench_tui.tui.cli",
            "run",
            str(file),
            "--headless",
            f"--sessions-dir={folder}",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (journal,) = folder.glob("*/journal.jsonl")
    session = read_session(journal)
    for diagnosis in analyse(session).diagnoses:
        assert f": {diagnosis.name}:" in done.stdout
    return session


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Session:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("two devices need two cores")
    return measure(tmp_path_factory.mktemp("faults"), FAULTS)


def one(session: Session, name: str) -> tuple[Diagnosis, set[str]]:
    """The diagnosis of that name, and the workloads of the runs that it concerns."""
    found = {diagnosis.name: diagnosis for diagnosis in analyse(session).diagnoses}
    assert name in found, found
    return found[name], {session.runs[run].spec.workload.name for run in found[name].runs}


def wait_for_a_batch(session: Session, workload: str) -> float:
    """Seconds of a step of that workload's run."""
    (run,) = (run for run in session.runs.values() if run.spec.workload.name == workload)
    phases = result_of(session, run.spec.id).phases
    assert phases is not None
    return phases.ranks[0].seconds["input"]


def test_a_slow_loader_is_input_bound_and_data_on_the_device_are_not(faults: Session) -> None:
    found, workloads = one(faults, "input-bound")
    assert found.severity == "severe"
    assert "loader" in workloads
    assert wait_for_a_batch(faults, "resident") < wait_for_a_batch(faults, "loader")
    if "busy machine" not in {diagnosis.name for diagnosis in analyse(faults).diagnoses}:
        assert "resident" not in workloads
    assert any("throughput of single x1, resident" in item.what for item in found.evidence)
    assert any("waits for a batch" in item.what for item in found.evidence)


def test_too_many_workers_oversubscribe_the_processors(faults: Session) -> None:
    _, workloads = one(faults, "CPU oversubscribed")
    assert "loader" in workloads
    assert "resident" not in workloads


def test_a_rank_that_is_slow_in_backward_is_the_straggler(faults: Session) -> None:
    found, workloads = one(faults, "straggler")
    assert "late" in workloads
    assert any("exposed on rank 1" in item.what for item in found.evidence)
    (late,) = (run for run in faults.runs.values() if run.spec.workload.name == "late")
    exposed = result_of(faults, late.spec.id).communication
    assert exposed is not None
    assert exposed.exposed[1] < exposed.exposed[0]


def test_gradients_without_anything_to_hide_them_are_exposed(faults: Session) -> None:
    heavy = next(run for run in faults.runs.values() if run.spec.workload.name == "heavy")
    said = result_of(faults, heavy.spec.id).communication
    if said is None or said.below_noise:
        pytest.skip("other programs here make more noise than synchronising costs")
    assert "heavy" in one(faults, "exposed communication")[1]


def test_a_step_that_sleeps_has_too_little_work(faults: Session) -> None:
    _, workloads = one(faults, "too little work per step")
    assert workloads == {"small"}


def test_a_loss_that_is_no_number_is_severe_from_the_step_it_began(faults: Session) -> None:
    found, workloads = one(faults, "training diverged")
    assert found.severity == "severe" and workloads == {"breaking"}
    assert "is not finite from step 9 on" in found.sentence


def test_unequal_settings_are_not_comparable(faults: Session) -> None:
    found, workloads = one(faults, "not comparable")
    assert "other-layout" in workloads
    assert "twin" not in workloads
    assert any(item.value == "channels_last: True against False" for item in found.evidence)


def test_no_difference_is_said_just_where_the_interval_holds_one(faults: Session) -> None:
    twin = next(run for run in faults.runs.values() if run.spec.workload.name == "twin")
    interval = result_of(faults, twin.spec.id).speedup_interval
    assert interval is not None
    said = {
        run
        for diagnosis in analyse(faults).diagnoses
        if diagnosis.name == "no difference"
        for run in diagnosis.runs
    }
    # Whether noise hides the difference this time is chance: one time in twenty it does not.
    assert (twin.spec.id in said) == (interval[0] <= 1 <= interval[1])


def test_other_programs_make_the_machine_busy(tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))[:8]
    burn = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
    burning = [subprocess.Popen([sys.executable, "-c", burn, str(core)]) for core in cores]
    try:
        session = measure(tmp_path, QUIET)
    finally:
        for process in burning:
            process.kill()
            process.wait()
    found, _ = one(session, "busy machine")
    assert found.severity == "severe"
    assert any("of its CPUs used by other programs" in item.what for item in found.evidence)
    (result,) = analyse(session).results
    assert result.others_on_cpus is not None and 0.25 < result.others_on_cpus <= 1
    assert "not credible: busy machine" in analyse(session).headline
