from __future__ import annotations

import importlib.metadata
import platform

from gpubench_tui.engine.host.facts import Software
from gpubench_tui.engine.host.software import inspect_software, mismatches, read_constants

VERSION = """
from typing import Optional
__all__ = ['__version__', 'cuda']
__version__ = '2.13.0+cu130'
debug = False
cuda: Optional[str] = '13.0'
hip: Optional[str] = None
"""


def test_constants_are_read_without_running_them() -> None:
    assert read_constants(VERSION) == {"__version__": "2.13.0+cu130", "cuda": "13.0"}
    assert read_constants("cuda = '12.6'\nother = print('run')") == {"cuda": "12.6"}


def test_the_versions_here_are_those_that_torch_says() -> None:
    import torch

    software = inspect_software("550.1", "12.4")
    assert software.torch == torch.__version__
    assert software.torch_cuda == torch.version.cuda
    assert software.torchvision == importlib.metadata.version("torchvision")
    assert software.python == platform.python_version()
    assert (software.driver, software.driver_cuda) == ("550.1", "12.4")


def test_mismatches() -> None:
    def said(torch_cuda: str | None, driver_cuda: str | None, gpus: int = 1) -> list[str]:
        software = Software("3.11", "Linux", "2.9", torch_cuda, driver_cuda=driver_cuda)
        return mismatches(software, gpus)

    assert said("12.8", "12.4") == []
    assert said("12.8", "13.0") == []
    assert said("12.8", None) == []
    assert "install a torch built for CUDA 12" in said("13.0", "12.9")[0]
    assert "built without CUDA" in said(None, "12.9")[0]
    assert said(None, "12.9", gpus=0) == []
    assert mismatches(Software("3.11", "Linux"), 1) == []
