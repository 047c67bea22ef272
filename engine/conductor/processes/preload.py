"""Modules that the fork server imports once a session, so that no rank has to.

Only the fork server imports this module. Nothing here may touch CUDA: a fork could not use it afterwards.
"""

from __future__ import annotations

import gc
import importlib
import os
import traceback

from .own_network import VARIABLE, enter_own_network

MODULES = (
    "torch",
    "torch.distributed",
    "torch.distributed.fsdp",
    "torch._dynamo",  # the first DistributedDataParallel imports it
    "gpubench_tui.engine.training.worker",
)
NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"
"""While it is 1, torch asks NVML whether there are GPUs; once CUDA was asked, no fork could use it."""


def _preload() -> None:
    gc.disable()  # all that is imported stays
    wanted = os.environ.get(NVML_CHECK)
    os.environ[NVML_CHECK] = "1"
    for name in MODULES:
        try:
            importlib.import_module(name)
        except Exception:  # the ranks will meet the same error and report it
            traceback.print_exc()
    del os.environ[NVML_CHECK]  # ranks ask CUDA itself
    if wanted is not None:
        os.environ[NVML_CHECK] = wanted
    gc.collect()
    gc.freeze()  # a collection in a rank would copy every page it inherited
    gc.enable()


if os.environ.get(VARIABLE):
    enter_own_network()
_preload()
