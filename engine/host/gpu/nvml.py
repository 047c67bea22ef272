"""The only wrapper of pynvml: what the driver does not tell is None, never zero and never an exception.

An `Nvml` belongs to one thread. The library counts its users: closing one leaves the others alone.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ...text.plain import described
from .values import values_of

try:
    import pynvml
except Exception as error:  # whatever lies in its place, or is missing
    pynvml = None
    _fault = f"cannot be imported ({described(error)})"
else:
    _fault = "" if hasattr(pynvml, "nvmlInit") and hasattr(pynvml, "NVMLError") else f"is {pynvml.__file__}"

# Of NVML's interface, and written out: a pynvml of another distribution or age lacks some of them, and
# nvidia-ml-py has a comma too many behind NVML_P2P_CAPS_INDEX_READ, which makes it a tuple.
CLOCK_SM = 1
MEMORY_V2 = 40 | 2 << 24
MOST_LINKS = 36
SWITCH_LINK = 2
PCIE_SENT, PCIE_RECEIVED = 0, 1
ECC_CORRECTED, ECC_UNCORRECTED, ECC_SINCE_LOAD = 0, 1, 0
P2P_READ = 0
P2P_OK, P2P_UNKNOWN = 0, 6
NO_NUMBER, NO_SIZE = 2**32 - 1, 2**64 - 1
NO_PERMISSION, NOT_LOADED, NO_LIBRARY, NO_FUNCTION, IS_LOST, NEEDS_RESET, OTHER_VERSION, UNKNOWN = (
    *(4, 9, 12, 13, 15, 16, 18),
    999,
)
"""Errors."""

LOST = (IS_LOST, NEEDS_RESET)
UNAVAILABLE = {
    NO_LIBRARY: "no NVIDIA driver is installed: libnvidia-ml.so.1 was not found",
    NOT_LOADED: "the NVIDIA driver is installed but not loaded: `nvidia-smi` should "
    "say why, and a container must be started with its GPUs (docker run --gpus all)",
    NO_PERMISSION: "this user may not use the NVIDIA driver: see the permissions of /dev/nvidiactl",
    OTHER_VERSION: "the loaded NVIDIA driver and its library are of different "
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
        """Functions that the driver lacks."""
        self._outdated: set[str] = set()
        """Functions that pynvml lacks."""
        self._reported: set[str] = set()
        self._given = self._unknown = 0
        if _fault:
            raise NvmlUnavailable(f"the module pynvml {_fault}, not NVIDIA's: install nvidia-ml-py")
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
        missing = outdated = 0
        for call in calls:
            name, *arguments = (call,) if isinstance(call, str) else call
            try:
                value = getattr(pynvml, name)(*of, *arguments)
            except (AttributeError, TypeError):
                outdated += 1  # a pynvml without it, or without one of its arguments
            except ValueError:
                self._unknown += 1  # a name that is no text, from a failing GPU
            except pynvml.NVMLError as error:
                if error.value in LOST:
                    raise GpuLost from error
                missing += error.value == NO_FUNCTION
                self._unknown += error.value == UNKNOWN
            else:
                self._given += 1
                return value.decode(errors="replace") if isinstance(value, bytes) else value  # if it is old
        if missing + outdated == len(calls):
            name = calls[0] if isinstance(calls[0], str) else calls[0][0]
            (self._outdated if outdated else self._missing).add(name)
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
                if error.value == NO_PERMISSION:
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
        """Return sentences on the functions found to be missing since the last call, if any."""
        driver = self.driver()
        lacking = (
            (f"NVIDIA driver{f' {driver}' if driver else ''}", self._missing, "a newer driver provides them"),
            ("module pynvml", self._outdated, "nvidia-ml-py in its place provides them"),
        )
        sentences = [
            f"the {what} lacks {', '.join(fresh)}, so these values are n/a: {values_of(fresh)}; {remedy}"
            for what, missing, remedy in lacking
            if (fresh := sorted(missing - self._reported))
        ]
        self._reported |= self._missing | self._outdated
        return sentences

    def _ask_system(self, *calls: str) -> Any:
        try:
            return self.ask(*calls)
        except GpuLost:
            return None
