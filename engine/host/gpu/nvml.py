"""The only wrapper of pynvml: what the driver does not tell is None, never zero and never an exception.

An `Nvml` belongs to one thread. The library counts its users: closing one leaves the others alone.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pynvml

CLOCK_SM: int = pynvml.NVML_CLOCK_SM
MEMORY_V2: int = pynvml.nvmlMemory_v2
MOST_LINKS: int = pynvml.NVML_NVLINK_MAX_LINKS
SWITCH_LINK: int = pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH
# Written out: nvidia-ml-py has a comma too many behind NVML_P2P_CAPS_INDEX_READ, which makes it a tuple.
P2P_READ = 0
P2P_OK: int = pynvml.NVML_P2P_STATUS_OK
P2P_UNKNOWN: int = pynvml.NVML_P2P_STATUS_UNKNOWN
NO_NUMBER: int = pynvml.NVML_VALUE_NOT_AVAILABLE_uint.value
NO_SIZE: int = pynvml.NVML_VALUE_NOT_AVAILABLE_ulonglong.value

LOST = (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED)
UNAVAILABLE = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no NVIDIA driver is installed: libnvidia-ml.so.1 was not found",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is installed but not loaded: `nvidia-smi` should "
    "say why, and a container must be started with its GPUs (docker run --gpus all)",
    pynvml.NVML_ERROR_NO_PERMISSION: "this user may not use the NVIDIA driver: see the permissions of "
    "/dev/nvidiactl",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "the loaded NVIDIA driver and its library are of different "
    "versions: restart the machine, or reload the driver",
}


class NvmlUnavailable(Exception):  # noqa: N818 (a state of the machine more than an error)
    """NVML cannot be used; the message says why in one sentence."""


class GpuLost(Exception):  # noqa: N818
    """The GPU that was asked has fallen off the bus or needs a reset."""


class Nvml:
    """NVML, initialised. Raises `NvmlUnavailable` where it cannot be."""

    def __init__(self) -> None:
        self._missing: set[str] = set()
        self._reported: set[str] = set()
        self._given = self._unknown = 0
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise NvmlUnavailable(UNAVAILABLE.get(error.value, f"NVML does not start: {error}")) from error

    def close(self) -> None:
        """Release NVML."""
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()

    def ask(self, *calls: str | tuple[Any, ...], of: tuple[Any, ...] = ()) -> Any:
        """Return the answer of the first of these functions that gives one, or None; raises `GpuLost`.

        A call is a function's name, or a tuple of the name and the arguments that follow those in `of`.
        """
        missing = 0
        for call in calls:
            name, *arguments = (call,) if isinstance(call, str) else call
            try:
                value = getattr(pynvml, name)(*of, *arguments)
            except AttributeError:
                missing += 1  # an nvidia-ml-py without it
            except ValueError:
                self._unknown += 1  # a name that is no text, from a failing GPU
            except pynvml.NVMLError as error:
                if error.value in LOST:
                    raise GpuLost from error
                missing += error.value == pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
                self._unknown += error.value == pynvml.NVML_ERROR_UNKNOWN
            else:
                self._given += 1
                return value
        if missing == len(calls):
            self._missing.add(calls[0] if isinstance(calls[0], str) else calls[0][0])
        return None

    def heard(self) -> bool:
        """Return whether anything but unknown errors has come back since the last call."""
        heard = self._given > 0 or self._unknown == 0
        self._given = self._unknown = 0
        return heard

    def handles(self) -> tuple[list[Any], int]:
        """Return the handles of all GPUs, None for one that is silent, and how many are closed to this user.

        CUDA does not number the closed ones either.
        """
        handles: list[Any] = []
        closed = 0
        for position in range(self._ask_system("nvmlDeviceGetCount") or 0):
            try:
                handles.append(pynvml.nvmlDeviceGetHandleByIndex(position))
            except pynvml.NVMLError as error:
                if error.value == pynvml.NVML_ERROR_NO_PERMISSION:
                    closed += 1
                else:
                    handles.append(None)
        return handles, closed

    def driver(self) -> str | None:
        """Return the driver's version, as in `550.54.15`."""
        version: str | None = self._ask_system("nvmlSystemGetDriverVersion")
        return version

    def driver_cuda(self) -> str | None:
        """Return the newest CUDA version that the driver supports, as in `12.4`."""
        version = self._ask_system("nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion")
        return f"{version // 1000}.{version % 1000 // 10}" if version else None

    def take_missing(self) -> list[str]:
        """Return a sentence on the functions found to be missing since the last call, if any."""
        fresh = sorted(self._missing - self._reported)
        if not fresh:
            return []
        self._reported.update(fresh)
        driver = self.driver()
        return [
            f"the NVIDIA driver{f' {driver}' if driver else ''} lacks {', '.join(fresh)}, so those "
            "values are n/a; a newer driver provides them"
        ]

    def _ask_system(self, *calls: str) -> Any:
        try:
            return self.ask(*calls)
        except GpuLost:
            return None
