"""A preset as a file: every key under its meaning, and the same preset when it is read again."""

import re

import pytest
from gpubench_tui.engine.plan.preset.preset import (
    Baseline,
    Figure,
    Matrix,
    Preset,
    Published,
    Selection,
    WithoutGpus,
)
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.preset.reference import preset_reference
from gpubench_tui.engine.plan.preset.write import write_preset
from gpubench_tui.engine.plan.workload.workload import Workload

BARE = Preset(title="t", question="q", matrix=Matrix(modes=("single",)))
FULL = Preset(
    title='A "quoted" \\ title',
    question="Zeile\nzwei, \u00e4 \U0001f600 \x7f \t",
    workload=Workload(data="folder", data_dir="/a b/c", learning_rate_batch=64, milestones=(1, 2)),
    workloads={
        "half size": Workload(name="half size", data="folder", data_dir="/a b/c", learning_rate_batch=64),
        "b.c": Workload(name="other", data="folder", data_dir="/d", batch=3, learning_rate_batch=64),
    },
    without_gpus=WithoutGpus(
        workload={"batch": 9, "augment": ["flip"]},
        workloads={
            "half size": {"batch": 9, "augment": ["flip"]},
            "b.c": {"batch": 5, "augment": [], "data_dir": "/e"},
        },
        measure={"seconds": 2.5},
        matrix={"devices": [1, 2], "vary": {"compile": [False]}},
    ),
    matrix=Matrix(
        modes=("single", "ddp"),
        devices=(2, "all"),
        batches=(8,),
        vary={"compile": (False, True), "augment": (["flip"], []), "learning_rate": (0.5, 1.0)},
        only=(Selection(mode="ddp", vary={"compile": False}), Selection(workload="b.c", batch=8)),
        baseline=Baseline("single", batch=8, vary={"augment": []}),
    ),
    published=(
        Published(
            source="a study",
            hardware="a GPU",
            figures=(Figure(vary={"precision": "bf16"}, metric="speedup", value=2.0),),
        ),
    ),
)


@pytest.mark.parametrize("preset", [BARE, FULL], ids=["bare", "full"])
def test_a_file_reads_back_equal(preset: Preset) -> None:
    assert read_preset(write_preset(preset), "copy.toml") == preset


@pytest.mark.parametrize("preset", [BARE, FULL], ids=["bare", "full"])
def test_a_file_names_every_key_that_it_could_have(preset: Preset) -> None:
    text = write_preset(preset)
    for table in preset_reference():
        if table.path != "[[published.figures]]":
            assert table.path in text or table.path == "[without_gpus]", table.path
    for table in preset_reference()[:3]:  # those that every preset has
        for key in table.keys:
            if "table" not in key.values:
                assert re.search(rf"^(# )?{key.name} =", text, re.MULTILINE), key.name
                assert key.meaning[:40] in text
