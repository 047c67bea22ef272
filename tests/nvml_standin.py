"""A stand-in for NVIDIA's driver library, for tests of any room: built here, configured by a file.

    library = build(folder)                          # once; skips the test without a C compiler
    machine = Machine(folder / "machine", "count 8", "gpu3.util NA")
    subprocess.run(command, env=machine.environment(library))
    machine.set("count 8", "gpu3.fail.all 15")       # while the program runs: GPU 3 falls off the bus

The keys are listed in nvml/fake_nvml.c. Programs must be started with the environment: in a process that
has loaded a driver library already, another one has no effect.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "nvml" / "fake_nvml.c"


def build(folder: Path, without: Sequence[str] = ()) -> Path:
    """Compile the library into the folder, lacking the functions named; its path."""
    if sys.platform != "linux":
        pytest.skip("NVIDIA's driver is looked for on Linux only")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler to build the stand-in for NVIDIA's driver library")
    library = folder / "libnvidia-ml.so.1"
    renamed = [f"-D{function}=standin_without_{function}" for function in without]
    command = [compiler, "-O1", "-Wall", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", *renamed]
    subprocess.run([*command, "-o", str(library), str(SOURCE)], check=True)
    return library


class Machine:
    """The configuration of a machine whose driver is the stand-in."""

    def __init__(self, file: Path, *lines: str) -> None:
        self.file = file
        self.set(*lines)

    def set(self, *lines: str) -> None:
        """Replace the configuration; programs that run see it at their next call."""
        fresh = self.file.with_name(self.file.name + ".new")
        fresh.write_text("".join(f"{line}\n" for line in lines))
        fresh.replace(self.file)

    def environment(self, library: Path, **more: str) -> dict[str, str]:
        """The environment of a program that is to run on this machine."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CUDA_")}
        return {**kept, "LD_LIBRARY_PATH": str(library.parent), "NVML_STANDIN": str(self.file), **more}
