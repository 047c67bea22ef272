"""What the fork server imports leaves CUDA alone, of a torch that was built with it too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import os, torch

class Asked(BaseException):
    pass

def ask(*_):
    raise Asked("CUDA was asked")

# As in a torch that was built with CUDA; each of these would make CUDA unusable in a fork.
for name in ("_cuda_getDeviceCount", "_cuda_init", "_cuda_getCurrentRawStream"):
    setattr(torch._C, name, ask)
torch.cuda._lazy_init = ask
assert torch.cuda._is_compiled()
from gpubench_tui.engine.conductor.processes import preload
import sys
assert all(name in sys.modules for name in preload.MODULES)
assert not torch.cuda.is_initialized()
print(os.environ.get(preload.NVML_CHECK))
"""


def preload(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=dict(os.environ, **environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_no_import_asks_cuda_and_the_ranks_may() -> None:
    assert preload() == "None"
    assert preload(PYTORCH_NVML_BASED_CUDA_CHECK="0") == "0"
