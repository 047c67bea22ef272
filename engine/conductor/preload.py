"""Imported by the fork server alone, once a session: what every rank finds already there.

A rank is a fork of that server and pays for no import. No CUDA may be touched here: a fork could not use it.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import traceback

from ..host.process import die_with_parent

MODULES = (
    "torch",
    "torch.distributed",
    "torch.distributed.fsdp",
    "torch._dynamo",  # the first DistributedDataParallel imports it
    "gpubench_tui.engine.training.worker",
)
NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"
"""While it is 1, torch asks NVML whether there are GPUs; CUDA, once asked, would serve no fork any more."""


def _preload() -> None:
    wanted = os.environ.get(NVML_CHECK)
    os.environ[NVML_CHECK] = "1"
    for name in MODULES:
        try:
            importlib.import_module(name)
        except Exception:  # the ranks will meet it again, and say so in their run
            traceback.print_exc()
    del os.environ[NVML_CHECK]  # a rank may ask CUDA itself
    if wanted is not None:
        os.environ[NVML_CHECK] = wanted
    gc.collect()
    gc.freeze()  # a collection in a rank would copy every page it inherited


die_with_parent()
os.register_at_fork(after_in_child=die_with_parent)  # ranks and their loader workers too
signal.pthread_sigmask(signal.SIG_SETMASK, ())
_preload()
