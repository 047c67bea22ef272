"""Setting a rank up: switches, seeds and process group as its run asks for, and a record of them."""

from __future__ import annotations

import os
import platform
import random
from hashlib import sha256
from pathlib import Path

import torch

from ..host.variables import recorded_variables
from ..plan.assignment import Assignment
from ..plan.plan import RunSpec
from ..plan.preset.keys_in_effect import takes_effect
from ..plan.workload.language_models import vocabulary_of
from ..plan.workload.models import own_function
from ..plan.workload.trainings import own_training
from ..plan.workload.workload import Workload
from ..record.events import RankStarted
from .device.claim import backend_for
from .device.devices import RankDevices, Settings
from .parallel.group import Group
from .parallel.modes import TOGETHER
from .rank import Rank
from .reporter import Reporter

RECORDED = (
    "model", "classes", "image_size", "sequence_length", "data", "images", "tokens",
    "placement", "loader_workers", "prefetch", "pin_memory",
    "precision", "channels_last", "compile", "compile_mode", "accumulate", "checkpoint_activations",
    "optimizer", "learning_rate", "weight_decay", "momentum", "clip_gradients", "seed",
    "bucket_mb", "gradient_as_bucket_view", "static_graph", "find_unused_parameters", "compress_gradients",
    "reshard_after_forward",
)  # fmt: skip
"""Keys of a workload whose values are settings of the rank."""
PATIENCE = 2.0
"""Times `measure.hang_seconds` that a message between ranks may take: the watchdog should be faster."""


def set_up(assignment: Assignment, index: int, devices: RankDevices, reporter: Reporter) -> Rank:
    """Apply the run's switches and seed, report the rank's start, and meet the other ranks."""
    run = assignment.run
    workload = run.workload_of(index)
    backend = backend_of(run)
    set_switches(workload)
    # Forked processes start with the same random state: each rank sets its own.
    random.seed(workload.seed)
    torch.manual_seed(workload.seed)
    reporter.send(
        RankStarted(
            **reporter.stamp(),
            pid=os.getpid(),
            device=devices.describe(),
            settings=settings_of(run, index, devices),
        )
    )
    everyone = Group()
    if backend != "none":
        patience = max(60.0, PATIENCE * run.measure.hang_seconds)
        everyone = Group.join(Path(assignment.rendezvous), index, run.world_size, backend, patience)
    team = Group() if run.mode == "concurrent" else everyone
    return Rank(run, index, devices, everyone, team, reporter)


def digest_of(file: Path) -> str:
    """Return a digest of a file's content; empty if it cannot be read."""
    try:
        return sha256(file.read_bytes()).hexdigest()[:12]
    except OSError:  # which its import will say
        return ""


def backend_of(run: RunSpec) -> str:
    """Return the backend of a run's process group, or `none` where it needs no group."""
    return backend_for(run.devices) if run.world_size > 1 or run.mode in TOGETHER else "none"


def set_switches(workload: Workload) -> None:
    """Set this process's precision and cuDNN switches to those of a workload."""
    tf32 = workload.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = workload.cudnn_benchmark


def settings_of(run: RunSpec, rank: int, devices: RankDevices) -> Settings:
    """Return whatever two runs must have in common if they are to be compared."""
    workload = run.workload_of(rank)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    settings: Settings = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "device": devices.split()[0].describe(),
        "backend": backend_of(run),
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS", "unset"),
        "environment": recorded_variables(),
        "affinity": ",".join(map(str, cores)),
        "cores": len(cores),
        "matmul_tf32": torch.backends.cuda.matmul.allow_tf32,
        "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "batch_per_device": run.batch_per_device(rank),
        "global_batch": run.global_batch,
    }
    for name in RECORDED:
        if takes_effect(name, workload, run.mode):
            settings[name] = getattr(workload, name)
    if (file := own_training(workload.training)) is not None:
        settings["training_file"] = digest_of(file)
    elif workload.training == "images" and (own := own_function(workload.model)) is not None:
        settings["model_file"] = digest_of(own[0])
    if workload.training == "tokens":
        settings["vocabulary"] = vocabulary_of(workload)
    settings["augment"] = ",".join(workload.augment)
    settings |= devices.settings(backend_of(run))
    return settings
