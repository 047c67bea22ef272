"""Runs of the acceptance's session: every mode and precision once, and models that must fail."""

from __future__ import annotations

from pathlib import Path

from gpubench_tui.engine.plan.plan import Device, Plan, RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure, Mode
from gpubench_tui.engine.plan.workload.workload import Workload
from msgspec.structs import replace

from .machine import Machine

MODELS = Path(__file__).with_name("models.py")
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
IN_RANKS = ("fp32", "bf16", "fp16")
"""Precisions of the runs in ddp and fsdp."""
AUGMENT = ("flip", "crop", "rotate", "jitter")

MEASURE = Measure(seconds=1.0, windows=5, window_seconds=0.25, target=0, detail=20)
BRIEF = replace(MEASURE, seconds=1.0, windows=3, window_seconds=0.2, detail=0, hang_seconds=12.0)
ON_CPU = replace(MEASURE, seconds=0.5, window_seconds=0.1, detail=5)

TRANSFORMER = Workload(model="vit-small", images=4096, batch=256, optimizer="adamw", learning_rate=1e-3)
RESNET = Workload(model="cifar-resnet18", images=4096, batch=64, learning_rate=0.01)
# Its first step overflows with the scale that fp16 begins with.
OVERFLOWING = Workload(
    model="torchvision:resnet18", images=4096, batch=64, learning_rate=0.01, precision="fp16"
)
WIDE = Workload(
    model=f"{MODELS}:wide", images=2048, batch=64, precision="bf16", optimizer="adamw", learning_rate=1e-4
)


class Runs:
    """Runs so far, numbered in their order."""

    def __init__(self) -> None:
        self.specs: list[RunSpec] = []

    def add(
        self, label: str, mode: Mode, devices: tuple[Device, ...], workload: Workload, measure: Measure
    ) -> None:
        """Add a run; tests find it by its label."""
        name = f"{len(self.specs) + 1:02d}-{label}"
        self.specs.append(
            RunSpec(
                id=name,
                configuration=name,
                label=label,
                mode=mode,
                devices=devices,
                device_count=len(devices),
                workloads=(workload,),
                measure=measure,
            )
        )


def make_session_plan(machine: Machine) -> Plan:
    """Return the plan for this machine, without runs that need GPUs where CPU shares stand in for them."""
    runs = Runs()
    _precisions(runs, machine)
    _pairs(runs, machine)
    _failures(runs, machine)
    _rest(runs, machine)
    return Plan(
        preset="acceptance",
        title="Acceptance",
        question="Does the program do on this machine's GPUs what it says?",
        devices=machine.devices,
        runs=tuple(runs.specs),
    )


def _precisions(runs: Runs, machine: Machine) -> None:
    one, gpu = machine.devices[:1], machine.has_gpu
    big = TRANSFORMER if gpu else replace(TRANSFORMER, model="lenet", batch=32, images=320)
    measure = MEASURE if gpu else ON_CPU
    sgd = replace(big, precision="fp16", optimizer="sgd", learning_rate=0.01)
    runs.add("fp16-sgd", "single", one, OVERFLOWING if gpu else sgd, measure)
    for precision in PRECISIONS if gpu else ("fp32", "bf16"):
        runs.add(f"single-{precision}", "single", one, replace(big, precision=precision), measure)
    for mode in ("ddp", "fsdp"):
        for precision in IN_RANKS if gpu else ("fp32", "bf16"):
            runs.add(f"{mode}1-{precision}", mode, one, replace(big, precision=precision), measure)
    if gpu:
        runs.add("fsdp1-fp16-sgd", "fsdp", one, sgd, measure)


def _pairs(runs: Runs, machine: Machine) -> None:
    """Add the runs on two devices, or on one GPU twice, where gloo takes NCCL's place."""
    two, gpu = machine.pair, machine.has_gpu
    workload = RESNET if gpu else replace(RESNET, model="lenet", images=640)
    measure = MEASURE if gpu else ON_CPU
    runs.add("ddp2", "ddp", two, workload, measure)
    if gpu:
        runs.add("dp2", "dp", two, workload, measure)
        runs.add("dp2-fp16", "dp", two, replace(workload, precision="fp16", channels_last=True), measure)
    if len(machine.devices) > 1:  # gloo scatters nothing that is on a GPU
        runs.add("fsdp2", "fsdp", two, workload, measure)
    if gpu and len(machine.devices) > 1:
        runs.add("ddp2-wide", "ddp", two, WIDE, measure)
        runs.add("fsdp2-wide", "fsdp", two, WIDE, measure)
    runs.add("concurrent2", "concurrent", two, workload, measure)


def _failures(runs: Runs, machine: Machine) -> None:
    one = machine.devices[:1]
    own = Workload(model=f"{MODELS}:greedy", images=640, batch=64)
    runs.add("fails-memory", "ddp", one, own, BRIEF)
    runs.add("fails-assert", "ddp", one, replace(own, model=f"{MODELS}:asserting"), BRIEF)
    runs.add("fails-endless", "ddp", one, replace(own, model=f"{MODELS}:endless"), BRIEF)
    if len(machine.devices) > 1:
        in_detail = replace(own, model=f"{MODELS}:failing_in_detail")
        runs.add(
            "fails-in-detail", "ddp", machine.pair, in_detail, replace(BRIEF, detail=5, hang_seconds=60.0)
        )
    runs.add("after-failures", "single", one, replace(own, model="cnn"), replace(BRIEF, hang_seconds=120.0))


def _rest(runs: Runs, machine: Machine) -> None:
    one, gpu = machine.devices[:1], machine.has_gpu
    workload = RESNET if gpu else replace(RESNET, model="lenet", images=640)
    measure = MEASURE if gpu else ON_CPU
    loader = replace(workload, placement="loader", loader_workers=4 if gpu else 1, augment=AUGMENT)
    runs.add("loader", "single", one, loader, measure)
    runs.add("augment", "single", one, replace(workload, augment=AUGMENT, channels_last=True), measure)
    epochs = replace(measure, epochs=2, detail=0)
    runs.add("epochs", "ddp", one, replace(workload, images=2048 if gpu else 320), epochs)
    if gpu:
        # To compile takes longer than a rank may be silent.
        quick = replace(BRIEF, hang_seconds=12.0)
        for mode, model in (("single", f"{MODELS}:only_compiled"), ("ddp", "cnn"), ("fsdp", "vit-tiny")):
            compiled = replace(RESNET, model=model, compile=True, precision="bf16")
            runs.add(f"compile-{mode}", mode, one, compiled, quick)
