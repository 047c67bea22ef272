"""Error messages of CUDA, cuDNN, NCCL and gloo: the part that tells the cause, and a remedy for each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|CU(BLAS|DNN)_STATUS_ALLOC_FAILED|Failed to CUDA (host )?[mc]alloc"
    r"|std::bad_alloc"
)
LIKELY_OUT_OF_MEMORY = re.compile(
    r"unable to find an engine to execute this computation|No execution plans support the graph"
    r"|CU(BLAS|DNN)_STATUS_NOT_INITIALIZED"
)
"""Matches what cuDNN and cuBLAS say when no memory is left for their workspace, and seldom otherwise."""

SHARED_MEMORY = "/dev/shm is too small: start the container with --shm-size=8g or --ipc=host"
RESET = "reset the GPU (nvidia-smi --gpu-reset) or reboot; the kernel log names the fault as an Xid"
REMEDIES = {
    # Error 802: on machines with NVSwitches, CUDA waits for the fabric manager.
    r"system not yet initialized": "start the service nvidia-fabricmanager, in the driver's own version",
    # Error 803.
    r"unsupported display driver / cuda driver combination": "the loaded kernel driver and its libraries are "
    "of different versions: reboot, or remove CUDA's compat folder from LD_LIBRARY_PATH",
    # Error 804.
    r"forward compatibility was attempted": "update the driver, or use a torch built for the driver's CUDA; "
    "in a container, remove CUDA's compat folder from LD_LIBRARY_PATH",
    r"driver version is insufficient|driver on your system is too old": "update the driver, or use a torch "
    "built for the driver's CUDA",
    r"uncorrectable ECC error|uncorrectable NVLink": "the hardware reports a memory fault: " + RESET,
    r"GPU is lost|fallen off the bus|requires restart|CUDA error: unknown error": RESET,
    r"devices?(\(s\))? .*busy or unavailable": "another process holds the GPU, or its compute mode is "
    "exclusive: see nvidia-smi; nvidia-smi --compute-mode=DEFAULT shares it",
    r"no kernel image is available": "this torch is not built for the GPU's compute capability: install a "
    "torch that is (pytorch.org/get-started)",
    r"shared memory segment|shared memory ?\(shm\)|out of shared memory": SHARED_MEMORY,
    r"peer access is not supported": "set NCCL_P2P_DISABLE=1",
    r"peer mapping resources exhausted": "CUDA lets a GPU access 8 peers at most: use fewer GPUs",
    r"device-side assert triggered": "often a label outside the model's classes; CUDA_LAUNCH_BLOCKING=1 "
    "shows the call",
    r"Failed to find C compiler|No working C\+\+ compiler found": "install a C and a C++ compiler, or "
    "set workload.compile = false",
    r"Cannot find a working triton installation": "install the triton that this torch asks for "
    "(pip show torch), or set workload.compile = false",
    r"must have the same dtype|expected .* same dtype|expected scalar type": "in forward, create tensors in "
    "the dtype of those they meet",
    r"Received data size doesn't match expected size|collective mismatch": "ranks took part in different "
    "exchanges: all must call the same blocks of the model; under fsdp "
    "workload.find_unused_parameters = true gathers the whole model at once",
    r"Duplicate GPU detected": "NCCL needs a GPU of its own for each rank: choose different GPUs",
}
"""Remedy for each pattern of an error message; the first that matches counts."""

ABORTED = re.compile(r"(?:^\s*what\(\):|terminated with exception:)\s*(?P<reason>\S.*)", re.MULTILINE)
"""Matches what a C++ program prints of the exception that aborts it, from the message to the log's end."""
LABEL = re.compile(r"^\[[^\]]*Rank \d+\]\s*")
NESTED = "terminated with exception: "
ASSERTION = re.compile(r"Assertion `(?P<condition>.+)` failed")


def memory_shortage(text: str) -> Literal["certain", "likely"] | None:
    """Return whether an error message means that memory ran out."""
    if OUT_OF_MEMORY.search(text):
        return "certain"
    return "likely" if LIKELY_OUT_OF_MEMORY.search(text) else None


def main_line(text: str) -> str:
    """Return the first line of an error message, with the line that it leads to.

    NCCL gives its last error on a later line, and dynamo a compiler's error on the next one.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    if not lines:
        return ""
    if lines[0].endswith(" raised:"):
        return " ".join((lines[0], next(filter(None, lines[1:]), ""))).strip()
    if lines[0].endswith(":"):  # it announces what follows, as a list of keys that are missing
        return " ".join(filter(None, lines))
    last = lines.index("Last error:") + 1 if "Last error:" in lines else len(lines)
    detail = next(filter(None, lines[last:]), "")
    # A message without a last error goes on with C++ frames.
    return lines[0] if not detail or detail.startswith("Exception raised") else f"{lines[0]}: {detail}"


def remedy_for(text: str) -> str:
    """Return what helps against an error, or an empty string."""
    return next((remedy for pattern, remedy in REMEDIES.items() if re.search(pattern, text, re.I)), "")


def abort_reason(log: str) -> str:
    """Return the exception that made a process abort, from the end of its log; empty if it names none."""
    found = list(_reasons(log))
    if not found:
        return ""
    text = LABEL.sub("", found[-1])
    reason = main_line(text.rpartition(NESTED)[2] if NESTED in text else text)
    assertions = ASSERTION.findall(log)
    return f"{reason} (assertion {assertions[-1]})" if assertions and "assert" in reason else reason


def _reasons(log: str) -> Iterator[str]:
    for match in ABORTED.finditer(log):
        yield log[match.start("reason") :]
