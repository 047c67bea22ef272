"""Folders of compiled code that the ranks load: in the user's own cache, or where nobody else can write.

By itself, torch compiles into a folder of a well-known name below the one for temporary files, where any
user may have put code before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from ...host.privacy import NotPrivateError, check_above, own_folder

CACHES = {"TORCHINDUCTOR_CACHE_DIR": "torchinductor", "TRITON_CACHE_DIR": "triton"}
"""Variable of each cache that lies below the temporary folder, and the name of its folder here."""
OTHERS = {
    "TORCH_EXTENSIONS_DIR": "torch_extensions",
    "PYTORCH_KERNEL_CACHE_PATH": "torch_kernels",
    "TRITON_HOME": "triton_home",
    "TRITON_OVERRIDE_DIR": "triton_override",
    "CUDA_CACHE_PATH": "cuda",
}
"""Variables of caches that lie in the home folder unless they are set, and the names of their folders."""


def keep_caches_private(cache: Path, temporary: Path, environment: MutableMapping[str, str]) -> Iterator[str]:
    """Set the variables in the environment, which the ranks inherit; yield a sentence for each one changed.

    Folders are made below `cache`, or below `temporary`, a private one, where others can change that.
    """
    try:
        home = own_folder(cache / "compiled")
    except OSError as error:
        yield f"compiled code is not kept beyond this session: {_reason(error)}"
        home = own_folder(temporary / "compiled")
    for name, folder in (CACHES | OTHERS).items():
        chosen = environment.get(name)
        try:
            if chosen:
                environment[name] = str(own_folder(Path(chosen)))
                continue
        except (OSError, ValueError) as error:
            yield f"{name} is ignored, and {home / folder} used instead: {_reason(error)}"
        if chosen or name in CACHES:
            environment[name] = str(own_folder(home / folder))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename} cannot be used ({error.strerror})"
    return str(error)


def keep_temporary_private(temporary: Path, environment: MutableMapping[str, str]) -> Iterator[str]:
    """Let the ranks have their temporary files in `temporary`, unless the folder around it is private.

    Yield a sentence where others can change even `temporary`.
    """
    try:
        own_folder(temporary.parent)
    except OSError:
        environment["TMPDIR"] = str(temporary)
        tempfile.tempdir = None
    try:
        check_above(temporary.resolve())
    except NotPrivateError as error:
        yield f"other users can change temporary files: {error}; set TMPDIR to a folder of your own"
