"""Tests that need one process for all of them get it, however tests are spread over workers."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = """
import os
import pytest

@pytest.fixture{scope}
def made():
    with open("made", "a") as file:
        print(os.environ["PYTEST_XDIST_WORKER"], file=file)

@pytest.mark.parametrize("number", range(12))
def test_uses_it(number, made): pass
"""


@pytest.mark.slow
def test_what_a_fixture_makes_for_a_module_is_made_once(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_shared.py").write_text(SHARED.format(scope='(scope="module")'))
    for name in ("first", "second"):
        group = '\npytestmark = pytest.mark.xdist_group("a group")\n'
        (tmp_path / f"test_{name}.py").write_text(SHARED.format(scope="").replace("made", "grouped") + group)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n2", "--dist=loadgroup", "-pno:cacheprovider", "--rootdir=."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert len((tmp_path / "made").read_text().splitlines()) == 1
    workers = (tmp_path / "grouped").read_text().splitlines()
    assert len(workers) == 24
    assert len(set(workers)) == 1
