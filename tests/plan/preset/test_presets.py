"""The presets that come with the program, on machines made up for them."""

from typing import get_args

import pytest
from gpubench_tui.engine.host.facts import Cpu, Gpu, Host, Software
from gpubench_tui.engine.plan.estimate import estimate
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.needs import needs
from gpubench_tui.engine.plan.pace import Pace
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.preset.preset import UNITS, Metric
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.preset.write import write_preset
from msgspec.structs import replace

SHIPPED = [
    "quickstart",
    "batch-size",
    "checkpointing",
    "cnn-vs-vit",
    "communication",
    "compile",
    "ddp-tuning",
    "fsdp-vs-ddp",
    "gpt2",
    "large-batch",
    "llama-8b",
    "precision",
    "scaling",
    "single-dp-ddp",
    "strong-scaling",
    "train-cifar10",
]


def host(gpus: int) -> Host:
    return Host(
        name="server",
        cpu=Cpu("cpu", (0, 1), 2, 1 << 34),
        software=Software("3.11", "linux", torch="2.13.0", torch_cuda="13.0" if gpus else None),
        gpus=tuple(Gpu(index, f"GPU-{index}", "H200", compute_capability=(9, 0)) for index in range(gpus)),
    )


def plan(name: str, gpus: int, *overrides: str) -> Plan:
    return make_plan(name, find_preset(name).read(overrides), host(gpus))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_preset_written_reads_back_equal(name: str) -> None:
    preset = find_preset(name).read(["measure.seconds=3"])
    assert read_preset(write_preset(preset), "copy.toml") == preset


@pytest.mark.parametrize("name", SHIPPED)
def test_a_preset_runs_whole_on_four_gpus_and_in_part_on_two_cores(name: str) -> None:
    assert [spec.skip for spec in plan(name, 4).runs if spec.skip] == []
    assert plan(name, 0, "matrix.devices=[2]").to_run


@pytest.mark.parametrize("name", SHIPPED)
def test_a_preset_has_a_form_for_machines_without_gpus_of_two_minutes_at_most(name: str) -> None:
    made = plan(name, 0)
    assert made.reduced and made.to_run and not needs(made, host(0))[1:]
    spec = made.to_run[0]
    pace = Pace(start=2.0, warm_up=3.0, step=0.1, detail=6.0)
    seconds = estimate(replace(made, paces={run.id: pace for run in made.runs})).high
    if seconds is None:  # by epochs: of few images
        pixels = spec.workload.images * spec.workload.image_size**2
        assert spec.measure.epochs * pixels <= 10_000 * 32**2
    else:
        assert seconds <= 120
    assert {spec.workload.data for spec in made.runs} == {"synthetic"}


def test_ddp_is_tuned_one_setting_at_a_time_and_then_with_all() -> None:
    made = plan("ddp-tuning", 4)
    control, *others, together = made.runs
    assert control.controls == {}
    for spec in others:
        assert set(spec.controls.values()) == {control.id} and len(spec.controls) == 1
    assert {spec.baseline for spec in made.runs} == {control.id}
    assert {spec.label for spec in made.runs} > {
        "ddp x4, control",
        "ddp x4, bucket_mb 5",
        "ddp x4, bucket_mb 100",
    }
    assert len(together.varied) == 4 and all(
        value != control.varied[key] for key, value in together.varied.items()
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_published_figures_are_about_runs_of_their_preset_or_say_what_they_are_of(name: str) -> None:
    made = plan(name, 4)
    for published in made.published:
        assert published.source and published.hardware
        for figure in published.figures:
            assert bool(made.runs_of(figure)) != bool(figure.label), figure


@pytest.mark.parametrize("name", SHIPPED)
def test_what_was_published_of_an_epoch_stands_beside_an_epoch_as_long(name: str) -> None:
    made = plan(name, 4)
    figures = [figure for published in made.published for figure in published.figures]
    of_an_epoch = [f for f in figures if f.metric.endswith("_seconds") and f.metric != "step_seconds"]
    workloads = {each for figure in of_an_epoch for spec in made.runs_of(figure) for each in spec.workloads}
    assert {each.images for each in workloads if each.data == "synthetic"} <= {50_000}


def test_every_metric_has_its_unit() -> None:
    assert set(UNITS) == set(get_args(Metric))


def test_a_published_figure_finds_its_runs() -> None:
    made = plan("single-dp-ddp", 4)
    found = {
        (figure.metric, figure.value): [spec.label for spec in made.runs_of(figure)]
        for published in made.published
        for figure in published.figures
    }
    assert found["epoch_seconds", 6.302] == ["single x1, resnet34"]
    assert found["speedup", 1.92] == ["ddp x2, resnet34"]
    side_by_side = plan("cnn-vs-vit", 4)
    gain = next(
        figure
        for published in side_by_side.published
        for figure in published.figures
        if figure.metric == "concurrency_gain"
    )
    assert [spec.label for spec in side_by_side.runs_of(gain)] == ["concurrent x2, cnn + vit"]


def test_the_published_figures_of_a_batch_are_not_those_of_another() -> None:
    made = plan("scaling", 4, "matrix.batches=[32]")
    figures = [figure for published in made.published for figure in published.figures]
    assert {figure.batch for figure in figures if made.runs_of(figure)} == {32}


def test_the_large_batch_is_held_against_the_small_one_with_and_without_its_remedy() -> None:
    made = plan("large-batch", 4)
    assert [(spec.mode, spec.device_count, spec.global_batch) for spec in made.runs] == [
        ("single", 1, 128),
        ("ddp", 4, 8192),
        ("ddp", 4, 8192),
    ]
    assert [spec.workload.learning_rate for spec in made.runs] == pytest.approx([0.01, 0.01, 0.64])
    assert {spec.baseline for spec in made.runs} == {made.runs[0].id}


def test_communication_is_measured_with_one_device_too() -> None:
    counts = {spec.device_count for spec in plan("communication", 4).runs if spec.mode == "ddp"}
    assert counts == {1, 2, 4}
