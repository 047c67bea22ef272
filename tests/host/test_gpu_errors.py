"""What is made of errors as CUDA, cuDNN and NCCL really write them."""

from __future__ import annotations

import pytest
from gpubench_tui.engine.host.gpu.errors import abort_reason, main_line, memory_shortage, remedy_for

NCCL_SHARED_MEMORY = """\
NCCL error in: ../torch/csrc/distributed/c10d/NCCLUtils.hpp:317, unhandled system error (run with \
NCCL_DEBUG=INFO for details), NCCL version 2.21.5
ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error.
Last error:
Error while creating shared memory segment /dev/shm/nccl-EoOvZr (size 7340384)
"""
NCCL_MEMORY = """\
NCCL error in: /pytorch/torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:3356, unhandled cuda error \
(run with NCCL_DEBUG=INFO for details), NCCL version 2.27.5
ncclUnhandledCudaError: Call to CUDA function failed.
Last error:
Failed to CUDA calloc async 608 bytes
"""
NCCL_WITHOUT_MORE = """\
NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.hpp:268, invalid usage, NCCL version 2.19.3
ncclInvalidUsage: This usually reflects invalid usage of NCCL library.
Last error:

Exception raised from getNCCLComm at ../torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:1970
"""
ASSERT = """\
CUDA error: device-side assert triggered
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be \
incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.
"""
ABORTED_BY_ASSERT = f"""\
/pytorch/aten/src/ATen/native/cuda/Loss.cu:245: nll_loss_forward_reduce_cuda_kernel_2d: block: [0,0,0], \
thread: [5,0,0] Assertion `t >= 0 && t < n_classes` failed.
[rank1]:[E318 09:26:18.141499142 ProcessGroupNCCL.cpp:2068] [PG ID 0 PG GUID 0(default_pg) Rank 1] Process \
group watchdog thread terminated with exception: {ASSERT}
Exception raised from c10_cuda_check_implementation at /pytorch/c10/cuda/CUDAException.cpp:42 (most recent \
call first):
frame #0: c10::Error::Error(c10::SourceLocation) + 0x80 (0x7f6e21d7eeb0 in /lib/libc10.so)

terminate called after throwing an instance of 'c10::DistBackendError'
  what():  [PG ID 0 PG GUID 0(default_pg) Rank 1] Process group watchdog thread terminated with exception: \
{ASSERT}
Exception raised from c10_cuda_check_implementation at /pytorch/c10/cuda/CUDAException.cpp:42
"""
NO_COMPILER = """backend='inductor' raised:
RuntimeError: Failed to find C compiler. Please specify via CC environment variable.

Set TORCH_LOGS="+dynamo" and TORCHDYNAMO_VERBOSE=1 for more information
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("one\ntwo", "one"),
        (ASSERT, "CUDA error: device-side assert triggered"),
        (
            NCCL_SHARED_MEMORY,
            NCCL_SHARED_MEMORY.splitlines()[0]
            + ": Error while creating shared memory segment /dev/shm/nccl-EoOvZr (size 7340384)",
        ),
        (NCCL_WITHOUT_MORE, NCCL_WITHOUT_MORE.splitlines()[0]),
        (
            NO_COMPILER,
            "backend='inductor' raised: RuntimeError: Failed to find C compiler. Please specify via "
            "CC environment variable.",
        ),
    ],
)
def test_the_cause_is_kept_on_one_line(text: str, line: str) -> None:
    assert main_line(text) == line


@pytest.mark.parametrize(
    ("text", "shortage"),
    [
        (NCCL_MEMORY, "certain"),
        (NCCL_SHARED_MEMORY, None),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "certain"),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "certain"),
        ("GET was unable to find an engine to execute this computation", "likely"),
        ("FIND was unable to find an engine to execute this computation after trying 12 plans.", "likely"),
        (
            "cuDNN Frontend error: [cudnn_frontend] Error: No execution plans support the graph.",
            "likely",
        ),
        (ASSERT, None),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers "
         "are out of shared memory. Please try to raise your shared memory limit.", None),
    ],
)  # fmt: skip
def test_a_shortage_of_memory_is_recognised(text: str, shortage: str | None) -> None:
    assert memory_shortage(text) == shortage


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (NCCL_SHARED_MEMORY, "--shm-size=8g"),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers "
         "are out of shared memory. Please try to raise your shared memory limit.", "--shm-size=8g"),
        ("unable to allocate shared memory(shm) for file </torch_7_1>: Resource temporarily unavailable (11)",
         "--shm-size=8g"),
        ("Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling "
         "NumCudaDevices() that might have already set an error? Error 802: system not yet initialized",
         "fabricmanager"),
        ("Error 803: system has unsupported display driver / cuda driver combination", "reboot"),
        ("Error 804: forward compatibility was attempted on non supported HW", "compat"),
        ("CUDA error: uncorrectable ECC error encountered\nCUDA kernel errors might be", "reset the GPU"),
        ("CUDA error: all CUDA-capable devices are busy or unavailable\n", "compute mode"),
        ("CUDA error: CUDA-capable device(s) is/are busy or unavailable\n", "compute mode"),
        ("CUDA error: no kernel image is available for execution on the device\n", "compute capability"),
        ("CUDA error: peer access is not supported between these two devices\n", "NCCL_P2P_DISABLE=1"),
        ("CUDA error: peer mapping resources exhausted\n", "8 peers"),
        (ASSERT, "classes"),
        (NO_COMPILER, "compile = false"),
        ("InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx: (None, 'g++')",
         "compile = false"),
        ("[enforce fail at /pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:456] op.preamble.length <= "
         "op.nbytes. 88 vs 18. Received data size doesn't match expected size. Is there a distributed "
         "collective mismatch in your code?", "find_unused_parameters = true"),
        ("out of resource: shared memory, Required: 131072, Hardware limit: 101376", ""),
        ("unknown error in my file", ""),
        ("the sky is green", ""),
    ],
)  # fmt: skip
def test_errors_of_the_machine_come_with_a_remedy(text: str, remedy: str) -> None:
    assert (remedy in remedy_for(text)) if remedy else remedy_for(text) == ""


def test_the_reason_of_an_abort_is_read_from_the_log() -> None:
    reason = "CUDA error: device-side assert triggered (assertion t >= 0 && t < n_classes)"
    assert abort_reason(ABORTED_BY_ASSERT) == reason
    assert abort_reason("loading\nFatal Python error: Aborted\n") == ""
    log = (
        "terminate called after throwing an instance of 'c10::DistBackendError'\n  what():  "
        + NCCL_SHARED_MEMORY
    )
    assert "Error while creating shared memory segment" in abort_reason(log)
