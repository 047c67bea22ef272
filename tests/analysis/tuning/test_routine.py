"""Routine remedies: which runs they are for, their order in a tune, and what it says of those left out."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from building.noise import KINDS
from building.sessions import CORES, HOST, spec
from building.tunes import gone_on, opened
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.tuning import options
from gpubench_tui.engine.analysis.tuning.routine import routine_remedies
from gpubench_tui.engine.analysis.tuning.tuning import Tuning, tuning_of
from gpubench_tui.engine.host.facts import Gpu
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.plan.preset.preset import Measure, Mode
from gpubench_tui.engine.plan.remedy import Cost, Remedy
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session import Session, fold
from msgspec.structs import replace

from .conftest import Propose

IMAGES = Workload(name="cnn", model="cnn", batch=64, images=5000)
LANGUAGE = Workload(training="tokens", model="gpt-nano", batch=4)
LOADER = replace(IMAGES, placement="loader", pin_memory=False)
VIT = replace(IMAGES, model="torchvision:vit_b_16")
GPUS = tuple(Device(kind="cuda", index=index, name="a GPU") for index in range(2))


def offered(
    workload: Workload = IMAGES,
    mode: Mode = "single",
    *,
    devices: tuple[Device, ...] = CORES[:2],
    capability: tuple[int, int] = (9, 0),
    variables: str | None = None,
) -> list[str]:
    gpus = tuple(
        Gpu(index, f"GPU-{index}", "a GPU", compute_capability=capability) for index in range(len(GPUS))
    )
    run = spec("01-run", mode, 1 if mode == "single" else 2, workloads=[workload], on=devices)
    return [each.name for each in routine_remedies(run, replace(HOST, gpus=gpus, variables=variables))]


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (offered(), ["bf16", "channels last", "compile"]),
        (offered(LANGUAGE), ["bf16", "compile"]),
        (offered(VIT), ["bf16", "compile"]),
        (offered(replace(IMAGES, channels_last=True, compile=True, precision="bf16")), []),
        (
            offered(mode="ddp"),
            ["bf16", "channels last", "bf16 gradients", "gradients in buckets", "static graph", "compile"],
        ),
        (offered(mode="fsdp"), ["bf16", "weights kept gathered", "compile"]),
        (offered(LOADER), ["bf16", "channels last", "more prefetching", "compile"]),
        (offered(replace(LOADER, loader_workers=0)), ["bf16", "channels last", "compile"]),
        (offered(replace(LOADER, prefetch=8)), ["bf16", "channels last", "compile"]),
        (offered(variables="OMP_NUM_THREADS=1 TORCH_COMPILE_DISABLE=1"), ["bf16", "channels last"]),
        (offered(variables="TORCH_COMPILE_DISABLE=0"), ["bf16", "channels last", "compile"]),
        (
            offered(replace(LOADER, cudnn_benchmark=False), devices=GPUS),
            [
                *("bf16", "tf32", "channels last", "cuDNN's own choice"),
                *("pinned memory", "more prefetching", "compile"),
            ],
        ),
        (offered(replace(IMAGES, precision="tf32"), devices=GPUS), ["bf16", "channels last", "compile"]),
        (offered(devices=GPUS, capability=(7, 5)), ["fp16", "channels last", "compile"]),
        (offered(devices=GPUS, capability=(6, 1)), ["fp16", "channels last"]),
        (offered(mode="dp", devices=GPUS), ["bf16", "tf32", "channels last"]),
    ],
)
def test_each_is_for_the_runs_that_it_can_change(found: list[str], names: list[str]) -> None:
    assert found == names


def tuned(
    workload: Workload = IMAGES, mode: Mode = "ddp", seed: int = 0, allow: Sequence[Cost] = ()
) -> Session:
    """A tune on a machine where nothing brings anything."""
    noise = KINDS["white"](random.Random(seed))
    devices = 1 if mode == "single" else 2
    run = spec("01-run", mode, devices, workloads=[workload], measure=Measure(detail=20))
    return fold(gone_on(opened(run=run, allow=allow), lambda _: 1000 * next(noise)))


def tuning(session: Session) -> Tuning:
    found = tuning_of(session)
    assert found is not None
    return found


def headline(session: Session) -> str:
    return analyse(session).headline


def test_a_tune_without_a_diagnosis_tries_them_in_their_order_and_says_what_it_left_out() -> None:
    session = tuned()
    found = tuning(session)
    assert [(each.remedy.name, each.state, each.diagnosis) for each in found.attempts] == [
        ("channels last", "refused", ""),
        ("gradients in buckets", "refused", ""),
        ("static graph", "refused", ""),
        ("compile", "refused", ""),
    ]
    left_out = {each.remedy.name: each.lacks for each in found.tried if each.state == "not tried"}
    assert left_out == {"bf16": ("numerics",), "bf16 gradients": ("numerics",), "batch 128": ("recipe",)}
    assert headline(session) == (
        "No change helped: 4 changes tried, none kept; 3 remedies were left out: "
        "2 change the numerics (--allow numerics), 1 changes the recipe (--allow recipe)"
    )


def test_what_to_allow_includes_what_is_allowed_already() -> None:
    fast = replace(IMAGES, channels_last=True, compile=True, precision="bf16")
    session = tuned(fast, "single", allow=["memory"])
    assert not tuning(session).attempts
    assert headline(session) == (
        "Nothing was tried: no remedy is left; "
        "1 remedy was left out, which changes the recipe (--allow memory,recipe)"
    )
    several = "1 takes more memory (--allow memory), 1 changes the recipe (--allow recipe)"
    assert headline(tuned(fast, "fsdp")).endswith(f"2 remedies were left out: {several}")


def test_remedies_of_diagnoses_come_first(propose: Propose, monkeypatch: pytest.MonkeyPatch) -> None:
    static = Remedy(name="static", changes={"static_graph": True})
    propose([static, Remedy(name="it", changes={"compile": True})])
    monkeypatch.setattr(options, "routine_remedies", routine_remedies)
    names = [each.remedy.name for each in tuning(tuned()).attempts]
    assert names == ["static", "it", "channels last", "gradients in buckets"], "each once"


@pytest.mark.slow
def test_tunes_of_useless_settings_keep_none_of_them(
    propose: Propose, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose([])
    monkeypatch.setattr(options, "routine_remedies", routine_remedies)
    tunes = [tuning(tuned(LOADER, "single", seed, allow=["numerics"])) for seed in range(100)]
    assert all(len(each.attempts) >= 4 for each in tunes)
    assert sum(bool(each.kept) for each in tunes) <= 5


def least_minutes(workload: Workload) -> float:
    """The least time in which a tune of a training tries anything, to a tenth of a minute."""
    run = spec("01-run", "single", workloads=[workload], measure=Measure(detail=20))
    for tenths in range(1, 100):
        events = gone_on(opened(run=run, minutes=tenths / 10), lambda _: 1000.0)
        if tuning(fold(events)).attempts:
            return tenths / 10
    raise AssertionError("nothing is tried")


def test_the_compiler_must_have_time_too() -> None:
    only_compile = replace(IMAGES, channels_last=True)
    only_channels_last = replace(IMAGES, compile=True)
    assert least_minutes(only_compile) - least_minutes(only_channels_last) == pytest.approx(0.75, abs=0.11)
