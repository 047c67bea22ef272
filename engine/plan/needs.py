"""Needs of a plan that this machine may not meet, reported before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import platformdirs

from ..host.facts import Host
from ..host.findings import Finding
from ..text.files import user_path
from .plan import Plan
from .workload.data_error import DataError
from .workload.image_files import describe_unreadable, open_folder
from .workload.workload import Workload


class Need(Finding, frozen=True):
    """Something that a plan needs and this machine lacks."""

    key: str = ""
    """Key of the preset whose change would help; empty where none would."""


CIFAR10_FILES, CIFAR10_ARCHIVE, CIFAR10_SIZE = "cifar-10-batches-py", "cifar-10-python.tar.gz", "163 MiB"


def cache_folder() -> Path:
    """Return the folder for data sets, unless a preset names another."""
    return platformdirs.user_cache_path("gpubench-tui")


def needs(plan: Plan, host: Host, cache: Path | None = None) -> list[Need]:
    """Return what the runs that are not skipped lack; `cache` replaces the user's cache folder."""
    workloads = {workload: None for spec in plan.to_run for workload in spec.workloads}
    return [
        *_torchvision(workloads, host),
        *_cifar10(workloads, cache or cache_folder()),
        *_unreadable(workloads),
        *_gpus(plan, host),
    ]


def _torchvision(workloads: Iterable[Workload], host: Host) -> Iterator[Need]:
    if host.software.torch is None or host.software.torchvision is not None:
        return  # that torch is missing is said instead
    wanted = ["CIFAR-10"] if any(workload.data == "cifar10" for workload in workloads) else []
    wanted += dict.fromkeys(w.model for w in workloads if w.model.startswith("torchvision:"))
    if wanted:
        yield Need(
            "error",
            f"{' and '.join(wanted)} cannot be used: torchvision is not installed",
            "pip install torchvision, or take synthetic data and a built-in model",
            "workload.data",
        )


def _cifar10(workloads: Iterable[Workload], cache: Path) -> Iterator[Need]:
    folders = {Path(w.data_dir) if w.data_dir else cache for w in workloads if w.data == "cifar10"}
    for folder in sorted(folders):
        if not (folder / CIFAR10_FILES).is_dir() and not (folder / CIFAR10_ARCHIVE).is_file():
            yield Need(
                "warning",
                "CIFAR-10 has not been downloaded yet: the first run downloads "
                f"{CIFAR10_SIZE} to {_short(folder)}",
                f"no network? put {CIFAR10_ARCHIVE} there, or take synthetic data",
                "workload.data",
            )


def _unreadable(workloads: Iterable[Workload]) -> Iterator[Need]:
    folders = {(w.data_dir, w.classes) for w in workloads if w.data == "folder" and w.data_dir is not None}
    for folder, classes in sorted(folders):
        try:
            parts = open_folder(Path(folder), classes)
        except DataError as error:  # it has changed since the plan was made
            yield Need("error", error.problem, "repair the folder", f"workload.{error.key}")
            continue
        for part, files in zip(("train", "test"), parts, strict=True):
            if files.unreadable:
                text = describe_unreadable(Path(folder) / part, files)
                yield Need("warning", text, "repair or remove them", "workload.data_dir")


def _gpus(plan: Plan, host: Host) -> Iterator[Need]:
    if plan.to_run and plan.devices[0].kind == "cpu":
        why = "torch is built without CUDA" if host.gpus else "no GPUs here"
        yield Need(
            "info",
            f"{why}: each device is an equal share of the CPU cores, pinned, and a speedup compares several "
            "shares with one; it says nothing about GPUs",
            "" if host.gpus else "; ".join(host.notes[:1]),
        )


def _short(folder: Path) -> str:
    home = user_path("~")
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
