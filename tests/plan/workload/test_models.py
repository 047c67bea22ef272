"""Wrong names of models are found without importing what they name."""

from __future__ import annotations

from pathlib import Path

import pytest
from gpubench_tui.engine.plan.preset.errors import PresetError
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.workload.models import (
    BUILT_IN_MODELS,
    own_function,
    problem_with_model,
    torchvision_names,
)
from gpubench_tui.engine.training.models.registry import BUILT_IN
from gpubench_tui.engine.training.vision import torchvision

SOURCE = """
import elsewhere, os.path
from parts import head as neck, tail
raise RuntimeError("nobody imports this to plan")
def build(classes):
    inner = 1
    def nested(): ...
class Net:
    def method(self): ...
if True:
    conditional = build
else:
    def other(classes): ...
try:
    first, (second, *rest) = 1, (2, 3)
except ImportError:
    pass
with open("x") as handle:
    opened: int = 1
def late():
    global made_late
    made_late = 1
"""
DEFINED = [
    *("elsewhere", "os", "neck", "tail", "build", "Net", "conditional", "other", "first", "second", "rest"),
    *("handle", "opened", "late", "made_late"),
]
UNDEFINED = ["Build", "nested", "method", "inner", "head", "path", "parts", ""]
OPEN_ENDED = [
    "from parts import *",
    "def __getattr__(name): ...",
    "globals()['build'] = 1",
    "import sys\nsys.modules[__name__].build = 1",
    "exec('build = 1')",
]


@pytest.mark.parametrize("name", DEFINED)
def test_what_a_file_binds_can_be_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(SOURCE)
    assert problem_with_model(f"{tmp_path / 'net.py'}:{name}") == ""


@pytest.mark.parametrize("name", UNDEFINED)
def test_what_a_file_does_not_bind_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(SOURCE)
    problem = problem_with_model(f"{tmp_path / 'net.py'}:{name}")
    assert (f"has no function {name!r}" if name else "as in net.py:build") in problem
    assert name != "Build" or "did you mean build?" in problem


@pytest.mark.parametrize("source", OPEN_ENDED)
def test_a_file_that_only_its_import_can_tell_is_left_to_it(source: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(source)
    assert problem_with_model(f"{tmp_path / 'net.py'}:build") == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x = 1\ny = = 2\n", "net.py:2: SyntaxError: invalid syntax"),
        (b"def f():\nreturn 1\n", "net.py:2: IndentationError"),
        (b"name = '\xff'\n", "net.py"),
        (b"x = '\0'", "net.py"),
    ],
)
def test_a_file_that_is_no_python_is_told_with_its_line(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_bytes(content)
    problem = problem_with_model(f"{tmp_path / 'net.py'}:build")
    assert words in problem and "\n" not in problem


def test_a_change_of_the_file_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("def one(classes): ...")
    assert problem_with_model(f"{file}:two")
    file.write_text("def two(classes): ... # longer")
    assert not problem_with_model(f"{file}:two")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("resnet18", "there is no model 'resnet18': use cnn, lenet"),
        ("", "there is no model ''"),
        ("torchvision:resnet19", "no classification model 'resnet19'; did you mean resnet18?"),
        ("torchvision:fcn_resnet50", "no classification model"),
        ("torchvision:", "no classification model"),
        ("none.py:build", "no file "),
        ("none.py", "expected the function too"),
    ],
)
def test_a_wrong_name_is_an_error_of_its_preset(model: str, words: str) -> None:
    torchvision()
    text = f'title = "t"\nquestion = "q"\nmatrix.modes = ["single"]\n[workload]\nmodel = "{model}"'
    with pytest.raises(PresetError, match=r"workload\.model") as caught:
        read_preset(text, "p.toml")
    assert words in caught.value.problem


def test_the_names_are_those_that_can_be_built() -> None:
    assert set(BUILT_IN) == set(BUILT_IN_MODELS)
    models = torchvision().models
    assert sorted(torchvision_names()) == sorted(models.list_models(module=models))


def test_paths_may_hold_colons() -> None:
    assert own_function("/a.py:b c/net.py:f") == (Path("/a.py:b c/net.py"), "f")
    assert own_function("torchvision:resnet18") is None and own_function("cnn") is None
