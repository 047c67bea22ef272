"""Versions of the software that a measurement depends on, found without importing torch."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import platform
from pathlib import Path

from ..text.python_source import parse_python
from .facts import Software


def inspect_software(driver: str | None, driver_cuda: str | None) -> Software:
    """Return the versions of this Python's packages, and the driver's as NVML gave it."""
    torch = torch_versions()
    return Software(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        torch=torch.get("__version__"),
        torch_cuda=torch.get("cuda"),
        torchvision=_distribution("torchvision"),
        driver=driver,
        driver_cuda=driver_cuda,
    )


def torch_versions() -> dict[str, str]:
    """Return the constants of `torch/version.py`, as `__version__` and `cuda`; empty without torch."""
    try:
        spec = importlib.util.find_spec("torch")
    except (ImportError, ValueError):
        return {}
    if spec is None or spec.origin is None:
        return {}
    try:
        constants = read_constants(Path(spec.origin).with_name("version.py").read_text())
    except (OSError, SyntaxError):
        constants = {}
    if "__version__" not in constants and (version := _distribution("torch")):
        constants["__version__"] = version
    return constants


def read_constants(source: str) -> dict[str, str]:
    """Return the names that a module's source sets to a string, with their values."""
    constants = {}
    for node in parse_python(source).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target: ast.expr = node.targets[0]
        elif isinstance(node, ast.AnnAssign):
            target = node.target
        else:
            continue
        if (
            isinstance(target, ast.Name)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            constants[target.id] = node.value.value
    return constants


def mismatches(software: Software, gpus: int) -> list[str]:
    """Return why torch cannot use the GPUs, if it cannot, as sentences."""
    if gpus == 0 or software.torch is None:
        return []
    if software.torch_cuda is None:
        return [
            f"torch {software.torch} is built without CUDA and cannot use the {_gpus(gpus)} found: install "
            "a CUDA build of torch (pytorch.org/get-started)"
        ]
    if software.driver_cuda and _major(software.driver_cuda) < _major(software.torch_cuda):
        return [
            f"torch {software.torch} is built for CUDA {software.torch_cuda}, and the driver supports CUDA "
            f"{software.driver_cuda} at most: update the driver, or install a torch built for CUDA "
            f"{_major(software.driver_cuda)}"
        ]
    return []


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def _gpus(count: int) -> str:
    return "GPU" if count == 1 else f"{count} GPUs"


def _distribution(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
