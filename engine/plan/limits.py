"""Limits of a host: why it must skip a run, decided before anything starts."""

from __future__ import annotations

import re

from ..host.facts import Gpu, Host
from .memory import too_little_memory
from .plan import Device, RunSpec
from .preset.checks import problem_with_workload
from .preset.vary import settings_text
from .workload.blocks import problem_with_checkpointing
from .workload.trainings import defines, has_own_data, own_training

BF16_SINCE = (8, 0)
"""First compute capability with bf16 and tf32."""
FSDP_TORCH, FSDP_TORCH_ON_CPUS = (2, 6), (2, 7)
"""First torch whose `fully_shard` is public, and first torch where it works on CPUs."""


def reason_to_skip(spec: RunSpec, devices: tuple[Device, ...], host: Host) -> str | None:
    """Return the first reason why these devices cannot do the run, as a sentence; None when they can."""
    return _clash(spec) or refusal(spec, devices, host) or _untested(spec)


def refusal(spec: RunSpec, devices: tuple[Device, ...], host: Host) -> str | None:
    """Return the first reason that lies in host, torch and settings; no file is read for it."""
    on_gpus = _are_gpus(devices)
    gpus = [gpu for gpu in host.gpus if gpu.index in {device.index for device in spec.devices}]
    return (
        _too_few_devices(spec, devices, host)
        or _mode_unsupported(spec, on_gpus, host.software.torch)
        or _precision_unsupported(spec, on_gpus, gpus)
        or _keys_conflict(spec)
        or _nothing_checkpointed(spec)
        or _batch_indivisible(spec)
        or _workers_indivisible(spec)
        or too_little_memory(spec, devices, host)
    )


def _clash(spec: RunSpec) -> str | None:
    """Return why values of the variables under test exclude each other; None if they do not."""
    for workload in spec.workloads if spec.varied else ():
        if problem := problem_with_workload(workload):
            return f"{settings_text(spec.varied)} cannot be combined: {problem[0]}: {problem[1]}"
    return None


def _are_gpus(devices: tuple[Device, ...]) -> bool:
    """Return whether devices are GPUs; a record may hold a plan without any device."""
    return bool(devices) and devices[0].kind == "cuda"


def _too_few_devices(spec: RunSpec, devices: tuple[Device, ...], host: Host) -> str | None:
    asked = spec.device_count
    if asked <= len(devices):
        return None
    if _are_gpus(devices):
        return f"needs {asked} GPUs, {len(devices)} present"
    cores = len(host.cpu.cores)
    return f"needs {asked} devices, {cores} present: without GPUs a device is one CPU core or more"


def _mode_unsupported(spec: RunSpec, on_gpus: bool, torch: str | None) -> str | None:
    if spec.mode == "dp" and not on_gpus:
        return "DataParallel needs CUDA GPUs; on CPUs torch's DataParallel does nothing"
    version = re.match(r"(\d+)\.(\d+)", torch or "")
    needed = FSDP_TORCH if on_gpus else FSDP_TORCH_ON_CPUS
    if spec.mode == "fsdp" and version and (int(version[1]), int(version[2])) < needed:
        where = "" if on_gpus else " on CPUs"
        return f"fsdp{where} needs torch {'.'.join(map(str, needed))} or newer, and {torch} is installed"
    return None


def _precision_unsupported(spec: RunSpec, on_gpus: bool, gpus: list[Gpu]) -> str | None:
    precisions = {workload.precision for workload in spec.workloads}
    if not on_gpus:
        return "tf32 needs an NVIDIA GPU of compute capability 8.0 or newer" if "tf32" in precisions else None
    for precision in sorted(precisions & {"bf16", "tf32"}):
        for gpu in gpus:
            if gpu.compute_capability is not None and gpu.compute_capability < BF16_SINCE:
                have = ".".join(map(str, gpu.compute_capability))
                return (
                    f"{precision} needs compute capability 8.0; GPU {gpu.index} ({gpu.name}) has {have}: "
                    'try precision = "fp16"'
                )
    return None


def _keys_conflict(spec: RunSpec) -> str | None:
    """Return why torch refuses a workload's keys together in the run's mode."""
    workload = spec.workload
    if spec.mode == "dp" and workload.compile:
        return "DataParallel cannot run a compiled model: set workload.compile = false"
    if spec.mode == "ddp" and workload.static_graph and workload.find_unused_parameters:
        return (
            "ddp with a static graph finds unused parameters by itself, once: set either "
            "workload.static_graph or workload.find_unused_parameters to false"
        )
    return None


def _nothing_checkpointed(spec: RunSpec) -> str | None:
    return next(filter(None, map(problem_with_checkpointing, spec.workloads)), None)


def _batch_indivisible(spec: RunSpec) -> str | None:
    workload = spec.workload
    if (
        spec.mode == "concurrent"
        or workload.batch_scope == "device"
        or workload.batch % spec.device_count == 0
    ):
        return None
    return f"a global batch of {workload.batch} cannot be divided equally among {spec.device_count} devices"


def _untested(spec: RunSpec) -> str | None:
    """Return why a training that makes its own batches cannot be trained by epochs."""
    for workload in spec.workloads if spec.measure.epochs else ():
        file = own_training(workload.training)
        if file is not None and has_own_data(workload) and not defines(file, "test_batches"):
            return (
                f"epochs end with a test, and {file.name} makes its own batches without a function "
                "test_batches(rank, world_size, batch, device): write one, or set measure.epochs = 0"
            )
    return None


def _workers_indivisible(spec: RunSpec) -> str | None:
    for workload in spec.workloads:
        if workload.placement == "loader" and workload.loader_workers % spec.world_size:
            return (
                f"{workload.loader_workers} loader workers cannot be shared equally by {spec.world_size} "
                f"ranks: set workload.loader_workers to a multiple of {spec.world_size}"
            )
    return None
