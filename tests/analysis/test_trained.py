"""The line on what was trained, and the same line wherever results are shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from building.recorded import host
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.export import FORMATS, render
from gpubench_tui.engine.analysis.report.terminal import terminal_report
from gpubench_tui.engine.analysis.trained import REDUCED_FORM, trained, trained_briefly, training_line
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.plan.preset.library import PresetFile
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import SessionStarted
from gpubench_tui.engine.record.session import fold

PRESET = """
title = "Mine"
question = "Fast?"
[workload]
model = "cifar-resnet18"
batch = 512
[without_gpus.workload]
batch = 32
[matrix]
modes = ["single", "ddp"]
devices = [2]
"""
RESNET = "cifar-resnet18 on synthetic images (32x32, 10 classes)"
NAMED = PRESET.replace("[without", '[workloads.half]\nprecision = "bf16"\n[workloads.full]\n[without')


def plan(folder: Path, text: str, overrides: Sequence[str], gpus: int = 0) -> Plan:
    file = PresetFile("mine", folder / "mine.toml", own=True)
    file.path.write_text(text)
    return make_plan(file.name, file.read(overrides), host(gpus), file.changes(overrides))


@pytest.mark.parametrize(
    ("text", "overrides", "gpus", "line"),
    [
        (
            PRESET,
            (),
            0,
            f"{RESNET}, fp32, sgd, batch 32 per device; {REDUCED_FORM}",
        ),
        (
            PRESET,
            (),
            2,
            f"{RESNET}, fp32, sgd, batch 512 per device",
        ),
        (
            PRESET,
            ("workload.batch=32", "workload.momentum=0.9", "title=Other"),
            2,
            f"{RESNET}, fp32, sgd, batch 32 per device; changed from mine: batch",
        ),
        (
            PRESET,
            (
                "workload.data=cifar10",
                "workload.compile=true",
                "measure.seconds=5",
                "matrix.devices=[1]",
            ),
            0,
            f"cifar-resnet18 on CIFAR-10, fp32, sgd, batch 32 per device, compiled; {REDUCED_FORM}; changed "
            "from mine: data, compile, measure.seconds = 5.0, matrix.devices = [1]",
        ),
        (
            NAMED,
            ("workload.model=lenet", "matrix.batches=[8, 16]", "workload.batch_scope=global"),
            0,
            "lenet on synthetic images (32x32, 10 classes), bf16 / fp32, sgd, batch 8 / 16 in total; "
            f"{REDUCED_FORM}; changed from mine: model, batch_scope, matrix.batches",
        ),
        (
            NAMED,
            (
                "workload.accumulate=4",
                "workload.clip_gradients=1",
                "workload.compress_gradients=bf16",
                "workloads.half.checkpoint_activations=2",
            ),
            0,
            f"{RESNET}, bf16 / fp32, sgd, batch 32 per device, 4 batches a step, activations checkpointed: "
            "2 / none, gradients clipped: 1.0, gradients compressed: bf16; "
            f"{REDUCED_FORM}; changed from mine: accumulate, "
            "clip_gradients, compress_gradients, workloads.half.checkpoint_activations",
        ),
        (
            NAMED,
            ("workloads.half.seed=3",),
            0,
            f"{RESNET}, bf16 / fp32, sgd, batch 32 per device; {REDUCED_FORM}; changed from mine: "
            "workloads.half.seed = 3",
        ),
    ],
)
def test_the_line_gives_the_training_and_the_changes(
    tmp_path: Path, text: str, overrides: Sequence[str], gpus: int, line: str
) -> None:
    assert trained(plan(tmp_path, text, overrides, gpus)) == line


def test_files_are_named_without_their_folders() -> None:
    own = Workload(model="/home/me/net.py:build", data="folder", data_dir="/home/me/pets", classes=2)
    assert training_line([own]) == (
        "net.py:build on folder images (pets/, 32x32, 2 classes), fp32, sgd, batch 128 per device"
    )


def test_a_line_stays_a_line_whatever_is_varied(tmp_path: Path) -> None:
    batches = list(range(1, 500))
    long = "x" * 5000
    line = trained(plan(tmp_path, PRESET, (f"matrix.batches={batches}", f"workload.name={long}")))
    assert "batch 1 / 2 / 3 / 4 / 5 / 6 / 7 / ... / 499 per device; " in line
    assert len(line) < 300


def test_every_format_has_the_line(tmp_path: Path) -> None:
    made = plan(tmp_path, PRESET, ("workload.precision=bf16", "measure.seconds=7"))
    started = SessionStarted(
        at=0, session="s-1", program="0", unix_time=1.8e9, pid=1, host=host(0), plan=made
    )
    analysis = analyse(fold([started]))
    line = trained(made)
    assert line.endswith("changed from mine: precision, measure.seconds = 7.0")
    for form in FORMATS:
        # Lines are wrapped in pictures.
        assert "measure.seconds = 7.0" in render(analysis, form), form
    assert line in " ".join(terminal_report(analysis, 200).split())
    assert trained_briefly(made) == "cifar-resnet18 bf16"


def test_a_file_that_only_overrides_make_valid_has_them_as_its_changes(tmp_path: Path) -> None:
    file = PresetFile("mine", tmp_path / "mine.toml", own=True)
    file.path.write_text(PRESET.replace('"cifar-resnet18"', "3"))
    assert file.changes(("workload.model=lenet",)) == {"workload.model": "lenet"}
