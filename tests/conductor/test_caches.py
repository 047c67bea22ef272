"""Compiled code is loaded only from folders that nobody else can write to."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from gpubench_tui.engine.conductor.processes.caches import (
    CACHES,
    OTHERS,
    keep_caches_private,
    keep_temporary_private,
)


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "shared" / "session"
    folder.mkdir(parents=True, mode=0o700)
    folder.parent.chmod(0o1777)
    return folder


def test_caches_are_in_the_folder_of_the_user(temporary: Path, tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    assert not list(keep_caches_private(tmp_path / "cache", temporary, environment))
    assert environment.keys() == CACHES.keys()
    for value in environment.values():
        assert Path(value).is_relative_to(tmp_path / "cache") and Path(value).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", CACHES | OTHERS)
def test_a_chosen_cache_is_kept_where_it_is_safe(name: str, temporary: Path, tmp_path: Path) -> None:
    environment = {name: str(tmp_path / "chosen")}
    assert not list(keep_caches_private(tmp_path / "cache", temporary, environment))
    assert environment[name] == str(tmp_path / "chosen")
    (tmp_path / "chosen").chmod(0o777)
    (sentence,) = keep_caches_private(tmp_path / "cache", temporary, environment)
    assert sentence.startswith(f"{name} is ignored") and "other users can write to" in sentence
    assert Path(environment[name]).is_relative_to(tmp_path / "cache")


def test_a_cache_that_others_can_change_is_left_alone(temporary: Path, tmp_path: Path) -> None:
    planted = tmp_path / "cache" / "compiled"
    planted.mkdir(parents=True)
    planted.chmod(0o777)
    environment: dict[str, str] = {}
    (sentence,) = keep_caches_private(tmp_path / "cache", temporary, environment)
    assert sentence.startswith("compiled code is not kept")
    assert all(Path(value).is_relative_to(temporary) for value in environment.values())
    planted.parent.joinpath("file").touch()
    (sentence,) = keep_caches_private(tmp_path / "cache" / "file", temporary, environment := {})
    assert "cannot be used" in sentence and len(environment) == len(CACHES)


def test_temporary_files_of_ranks_have_no_names_that_others_can_guess(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    environment: dict[str, str] = {}
    assert not list(keep_temporary_private(temporary, environment))
    assert environment == {"TMPDIR": str(temporary)}
    temporary.parent.chmod(0o777)
    (sentence,) = keep_temporary_private(temporary, environment)
    assert "set TMPDIR" in sentence
    temporary.parent.chmod(0o700)
    assert not list(keep_temporary_private(temporary, alone := {})) and not alone


@pytest.mark.slow
def test_torch_heeds_the_variables(temporary: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in CACHES}
    list(keep_caches_private(tmp_path / "cache", temporary, environment))
    list(keep_temporary_private(temporary, environment))
    script = (
        "import tempfile; from torch._inductor.runtime.cache_dir_utils import cache_dir, triton_cache_dir;"
        "print(cache_dir(), triton_cache_dir(0), tempfile.gettempdir(), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        *(str(tmp_path / "cache" / "compiled" / name) for name in CACHES.values()),
        str(temporary),
    ]
