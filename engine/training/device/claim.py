"""Claiming what a rank trains on, before its process touches CUDA or starts threads."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

import torch

from ...plan.plan import Device, RunSpec
from .cpu import CpuDevices
from .cuda import CudaDevices, visible_name
from .devices import RankDevices


def claim_devices(run: RunSpec, rank: int) -> RankDevices:
    """Pin this process to its cores and return the rank's devices.

    All ranks see the GPUs of the whole run, as NCCL prefers, and no others. Must be called before this
    process starts threads, which inherit the cores. Raises TrainingError where torch cannot use a GPU.
    """
    own = run.devices_of(rank)
    cores = sorted({core for device in own for core in device.cores})
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    # Equal in every mode: one thread feeds a GPU, or several in dp, wherever it may run.
    torch.set_num_threads(len(cores) if cores and own[0].kind == "cpu" else 1)
    with contextlib.suppress(RuntimeError):  # it can be set only once in a process
        torch.set_num_interop_threads(1)
    if own[0].kind == "cpu":
        return CpuDevices()
    return CudaDevices.claim(own, run.devices)


def backend_for(devices: Sequence[Device]) -> str:
    """Choose NCCL for what lies on GPUs and gloo for the rest, or gloo alone where NCCL cannot work."""
    distinct = len(set(map(visible_name, devices))) == len(devices)
    if devices[0].kind == "cuda" and distinct and torch.distributed.is_nccl_available():
        return "cpu:gloo,cuda:nccl"
    return "gloo"
