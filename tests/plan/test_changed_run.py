"""Runs with changed settings, as a plan of the same machine would have them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gpubench_tui.engine.host.facts import Cpu, Gpu, Host, Software
from gpubench_tui.engine.plan.changed_run import changed_run, changes_in_effect
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import Plan, RunSpec
from gpubench_tui.engine.plan.preset.read import read_preset
from msgspec.structs import replace


def host(gpus: int = 2, capability: tuple[int, int] = (9, 0), memory: int | None = None) -> Host:
    """Return a machine with 4 cores."""
    cards = tuple(
        Gpu(i, f"GPU-{i}", "card", compute_capability=capability, memory_bytes=memory) for i in range(gpus)
    )
    cuda = "13.0" if gpus else None
    software = Software("3.11", "linux", torch="2.13.0", torch_cuda=cuda)
    return Host(name="server", cpu=Cpu("cpu", tuple(range(4)), 4, 1 << 34), software=software, gpus=cards)


def plan(workload: str, matrix: str = 'modes = ["ddp"]\ndevices = [2]', on: Host | None = None) -> Plan:
    text = f'title = "t"\nquestion = "q"\n[workload]\n{workload}\n[matrix]\n{matrix}\n'
    return make_plan("test", read_preset(text, "test.toml"), on or host())


def changed(
    changes: Mapping[str, Any], workload: str = "", on: Host | None = None, mode: str = "ddp"
) -> RunSpec:
    """Return the changed form of the only run of a plan, on two devices."""
    on = on or host()
    made = plan(workload, f'modes = ["{mode}"]\ndevices = [2]', on)
    return changed_run(made.runs[0], changes, made.devices, on)


def as_planned(workload: str, mode: str, on: Host) -> RunSpec:
    """Return the only run of a plan that has been given the settings itself."""
    return plan(workload, f'modes = ["{mode}"]\ndevices = [2]', on).runs[0]


@pytest.mark.parametrize(
    ("changes", "same", "mode"),
    [
        ({"precision": "bf16", "channels_last": True}, 'precision = "bf16"\nchannels_last = true', "ddp"),
        ({"batch": 64, "accumulate": 2}, "batch = 64\naccumulate = 2", "ddp"),
        ({"mode": "fsdp", "reshard_after_forward": False}, "reshard_after_forward = false", "fsdp"),
        ({"mode": "dp", "compile": True}, "compile = true", "dp"),  # refused
        ({"batch": 7_000}, "batch = 7_000", "ddp"),  # refused: more images than there are
        ({"placement": "loader", "loader_workers": 3}, 'placement = "loader"\nloader_workers = 3', "ddp"),
    ],
)
@pytest.mark.parametrize("gpus", [0, 2])
def test_it_does_what_a_plan_with_these_settings_does(
    changes: dict[str, Any], same: str, mode: str, gpus: int
) -> None:
    on = host(gpus)
    made, expected = changed(changes, on=on), as_planned(same, mode, on)
    for name in ("mode", "devices", "device_count", "workloads", "measure", "skip", "baseline"):
        assert getattr(made, name) == (None if name == "baseline" else getattr(expected, name)), name


def test_its_names_tell_what_has_changed() -> None:
    made = changed({"compress_gradients": "bf16", "bucket_mb": 100})
    assert made.label == "ddp x2, compress_gradients bf16, bucket_mb 100"
    assert made.id == "01-ddp-2x128-cifar-resnet18-compress_gradients-bf16-bucket_mb-100"
    assert made.configuration == made.id
    assert made.varied == {"compress_gradients": "bf16", "bucket_mb": 100.0}
    assert changed({"mode": "ddp"}, mode="dp").label == "ddp x2"
    larger = changed({"batch": 256})
    assert (larger.label, larger.varied) == ("ddp x2, batch 256", {})
    assert larger.id.startswith("01-ddp-2x256")


def test_a_change_of_what_was_changed_replaces_it() -> None:
    on = host()
    made = plan('precision = "bf16"', 'modes = ["ddp"]\ndevices = [2]\nvary.bucket_mb = [25, 50]', on)
    spec = made.runs[1]
    assert spec.label == "ddp x2, bucket_mb 50"
    again = changed_run(spec, {"bucket_mb": 100, "batch": 256}, made.devices, on)
    further = changed_run(again, {"batch": 512}, made.devices, on)
    assert again.label == "ddp x2, bucket_mb 100, batch 256"
    assert further.label == "ddp x2, bucket_mb 100, batch 512"
    assert further.varied == {"bucket_mb": 100.0} and further.id.startswith("02-ddp-2x512")


def test_a_repeat_becomes_a_configuration_of_its_own() -> None:
    on = host()
    text = 'title = "t"\nquestion = "q"\n[measure]\nrepeats = 2\n[matrix]\nmodes = ["single", "ddp"]\n'
    made = make_plan("test", read_preset(f"{text}devices = [2]", "test.toml"), on)
    spec = changed_run(made.runs[-1], {"compile": True}, made.devices, on)
    assert (spec.repeat, spec.baseline, spec.controls) == (1, None, {})
    assert spec.label == "ddp x2, compile"


@pytest.mark.parametrize(
    ("changes", "workload", "on", "why"),
    [
        ({"precision": "bf16"}, "", host(capability=(7, 5)), "bf16 needs compute capability 8.0"),
        ({"precision": "tf32"}, "", host(0), "tf32 needs an NVIDIA GPU"),
        ({"static_graph": True}, "find_unused_parameters = true", host(), "unused parameters by itself"),
        ({"placement": "loader", "loader_workers": 3}, "", host(), "3 loader workers cannot be shared"),
        ({"batch": 4}, 'training = "tokens"\nmodel = "gpt2"', host(memory=1 << 30), "gpt2 needs about"),
        ({"data": "text"}, "", host(), "text cannot be combined: data"),
        ({"data": "folder", "data_dir": "/nowhere"}, "classes = 2", host(), "workload.data_dir: "),
    ],
)
def test_it_is_skipped_for_the_reason_that_a_plan_would_give(
    changes: dict[str, Any], workload: str, on: Host, why: str
) -> None:
    assert why in (changed(changes, workload, on).skip or "")


def test_learning_rates_follow_the_batch_where_they_are_meant_for_one() -> None:
    scaled = "learning_rate = 0.1\nlearning_rate_batch = 256"  # 256 is what two devices take
    assert changed({"batch": 256}, scaled).workload.learning_rate == pytest.approx(0.2)
    assert changed({"batch": 64, "accumulate": 2}, scaled).workload.learning_rate == 0.1
    assert changed({"learning_rate": 0.3, "batch": 64}, scaled).workload.learning_rate == pytest.approx(0.15)
    assert changed({"batch": 256}, "learning_rate = 0.1").workload.learning_rate == 0.1


def test_a_value_that_does_not_exist_is_refused() -> None:
    for changes in ({"precision": "fp8"}, {"batch": 0}, {"mode": "tpu"}, {"colour": "red"}):
        with pytest.raises(msgspec.ValidationError):
            changed(changes)


def test_changes_in_effect_are_those_to_other_values_that_matter_there() -> None:
    made = plan('precision = "bf16"')
    spec = made.runs[0]
    changes = {"precision": "bf16", "batch": 128, "prefetch": 4, "reshard_after_forward": False}
    assert changes_in_effect(spec, changes) == {}
    assert changes_in_effect(spec, {**changes, "mode": "fsdp"}) == {
        "mode": "fsdp",
        "reshard_after_forward": False,
    }
    assert changes_in_effect(spec, {"bucket_mb": 100, "mode": "ddp"}) == {"bucket_mb": 100.0}


def test_each_rank_with_a_training_of_its_own_is_changed(tmp_path: Path) -> None:
    on = host()
    text = (
        'title = "t"\nquestion = "q"\n[workloads.a]\nprecision = "bf16"\n[workloads.b]\nbatch = 64\n'
        '[matrix]\nmodes = ["concurrent"]\ndevices = [2]\n'
    )
    made = make_plan("test", read_preset(text, "test.toml"), on)
    spec = changed_run(made.runs[0], {"precision": "bf16"}, made.devices, on)
    assert [each.precision for each in spec.workloads] == ["bf16", "bf16"]
    assert [each.batch for each in spec.workloads] == [128, 64]
    assert changes_in_effect(made.runs[0], {"precision": "bf16"}) == {"precision": "bf16"}
    assert changes_in_effect(spec, {"precision": "bf16"}) == {}


def test_with_its_own_values_it_is_the_run_as_it_was() -> None:
    made = plan("")
    spec = changed_run(made.runs[0], {"compile": False}, made.devices, host())
    assert replace(spec, id="", label="", configuration="", varied={}) == replace(
        made.runs[0], id="", label="", configuration="", varied={}, baseline=None
    )
    assert (spec.label, spec.varied) == ("ddp x2, no compile", {"compile": False})


def test_a_recorded_plan_without_devices_is_refused_in_a_sentence() -> None:
    made = plan("")
    skip = changed_run(made.runs[0], {"compile": True}, (), host()).skip
    assert skip is not None and skip.startswith("needs 2 devices")
