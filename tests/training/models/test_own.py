"""The user's own files: imported as Python would import a script, and named where their code fails."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from gpubench_tui.engine.plan.workload.user_code import UserCode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training import vision
from gpubench_tui.engine.training.errors import TrainingError, sentence_of
from gpubench_tui.engine.training.models.own import import_script
from gpubench_tui.engine.training.models.registry import build_model

MODELS = """\
from __future__ import annotations
import argparse, dataclasses, pathlib
import torch
from torch import nn
from layers_beside import WIDTH, helped

parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, default=WIDTH)
WIDTH_GIVEN = parser.parse_args().width

@dataclasses.dataclass
class Shape:
    width: int = 3
    names: list[str] | None = None

def fits(classes, *, scale=1):
    assert pathlib.Path(__file__).name.startswith("net"), __file__
    assert __name__ != "__main__"
    return nn.Sequential(nn.Flatten(), nn.Linear(192, WIDTH_GIVEN), nn.Linear(WIDTH_GIVEN, classes))

if __name__ == "__main__":
    raise RuntimeError("this trains")
"""
BESIDE = """\
WIDTH = 5
def helped(value):
    raise OverflowError(f"{value} is too much")
def broken():
    import broken_beside
def mute(model):
    assert model is None
"""
FAILING = """\
import torch, layers_beside
from torch import nn

class Refusing(nn.Linear):
    def forward(self, images):
        return images.view(7, -1)

def gives_nothing(): ...
def takes_two(classes, width): ...
def number(classes): return classes
def beside(classes): return layers_beside.helped(classes)
def broken_beside(classes): layers_beside.broken()
def mute(classes): layers_beside.mute(classes)
def leaves(classes): raise SystemExit(3)
def forward(classes): return Refusing(1, 1)
def state(classes): nn.Linear(1, 1).load_state_dict({})
def long(classes): raise ValueError("begins " + "x " * 1000 + "ends")
def lines(classes): raise ValueError("first\\nsecond")
def again(classes): return again(classes)
def group(classes): raise ExceptionGroup("two", [KeyError("one"), KeyError("other")])
def cause(classes):
    try:
        layers_beside.helped(1)
    except OverflowError as error:
        raise ValueError("not built") from error
def noted(classes):
    error = ValueError("odd")
    error.add_note("try even")
    raise error
"""
SAID = {
    "gives_nothing": ["net.py:8: gives_nothing returned NoneType, not a torch.nn.Module"],
    "takes_two": ["net.py:9: takes_two must take", "'width'"],
    "number": ["net.py:10: number returned int, not a torch.nn.Module"],
    "beside": ["layers_beside.py:3, in helped: OverflowError: 10 is too much"],
    "broken_beside": ["broken_beside.py:1: SyntaxError: invalid syntax (x = = 1)"],
    "mute": ["layers_beside.py:7, in mute: AssertionError: assert model is None"],
    "leaves": ["net.py:14, in leaves: SystemExit: 3; ", "must not end the process"],
    "forward": ["net.py:6, in forward: RuntimeError: shape '[7, -1]' is invalid for input of size 192"],
    "state": [
        "net.py:16, in state: RuntimeError: Error(s)",
        'Missing key(s) in state_dict: "weight", "bias"',
    ],
    "long": ["net.py:17, in long: ValueError: begins x", "x ends"],
    "lines": ["net.py:18, in lines: ValueError: first second"],
    "again": ["net.py:19, in again: RecursionError: maximum recursion depth"],
    "group": ["net.py:20, in group: ExceptionGroup: two (2 sub-exceptions): KeyError: 'one'"],
    "cause": [
        "net.py:25, in cause: ValueError: not built, from ",
        "layers_beside.py:3, in helped: OverflowErr",
    ],
    "noted": ["net.py:29, in noted: ValueError: odd try even"],
}
"""Parts of the sentence on each function of `FAILING`."""


@pytest.fixture(autouse=True)
def _as_in_a_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo afterwards what a rank keeps for as long as it lives."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "argv", ["rank", "--unknown"])
    for name in ("layers_beside", "broken_beside", "net"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def write(folder: Path, name: str, source: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "layers_beside.py").write_text(BESIDE)
    (folder / "broken_beside.py").write_text("x = = 1\n")
    (folder / name).write_text(source)
    return folder / name


@pytest.mark.parametrize("name", ["net.py", "net work: v2.py", "net.v1.py", "a.py:/net.py", "net-1.py"])
def test_a_file_is_imported_like_a_script(name: str, tmp_path: Path) -> None:
    file = write((tmp_path / name).parent, Path(name).name, MODELS)
    model = build_model(Workload(model=f"{file}:fits", classes=4))
    assert [tuple(parameter.shape) for parameter in model.parameters()] == [(5, 192), (5,), (4, 5), (4,)]
    assert not list(file.parent.glob(f"__pycache__/{file.stem}*"))


@pytest.mark.parametrize(("name", "found"), [("net.py", True), ("queue.py", False), ("torch.py", False)])
def test_another_process_can_import_it_by_its_name_unless_that_is_taken(
    name: str, found: bool, tmp_path: Path
) -> None:
    file = write(tmp_path, name, "class Data: ...")
    data = import_script(file).Data
    assert data.__module__ == (file.stem if found else f"gpubench_user_{file.stem}")
    if found:
        unpickle = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))"
        command = [sys.executable, "-c", unpickle, pickle.dumps(data).hex()]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)


@pytest.mark.parametrize("body", ["nn.Flatten()", "nn.Linear(1, 1).requires_grad_(False)"])
def test_a_model_without_parameters_is_refused_before_it_is_wrapped(body: str, tmp_path: Path) -> None:
    file = write(tmp_path, "net.py", f"from torch import nn\ndef empty(classes): return {body}\n")
    with pytest.raises(TrainingError, match=r"net\.py:empty has no parameters to train"):
        build_model(Workload(model=f"{file}:empty"))


def test_a_link_leads_to_the_files_beside_its_target(tmp_path: Path) -> None:
    file = write(tmp_path / "there", "net.py", MODELS)
    link = tmp_path / "net_link.py"
    link.symlink_to(file)
    build_model(Workload(model=f"{link}:fits"))


@pytest.mark.parametrize("function", SAID)
def test_an_error_of_the_users_code_names_its_line(function: str, tmp_path: Path) -> None:
    file = write(tmp_path, "net.py", FAILING)
    with pytest.raises(BaseException) as caught:
        build_model(Workload(model=f"{file}:{function}"))(torch.zeros(1, 3, 8, 8))
    said = sentence_of(caught.value, 8, UserCode(file))
    assert said.startswith(str(tmp_path)), said
    for part in SAID[function]:
        assert part in said
    assert "\n" not in said and len(said) < 1000


def test_libraries_below_the_users_folder_are_not_the_users(tmp_path: Path) -> None:
    code = UserCode(tmp_path / "net.py")
    assert code.holds(str(tmp_path / "net.py")) and code.holds(str(tmp_path / "parts" / "layers.py"))
    assert not code.holds(str(tmp_path / ".venv/lib/python3.11/site-packages/torch/nn/modules/module.py"))
    assert not code.holds(torch.__file__) and not code.holds(pytest.__file__) and not code.holds("<string>")


def test_the_place_is_found_in_the_traceback_of_another_process(tmp_path: Path) -> None:
    error = ValueError(
        "Caught ValueError in replica 1 on device 1.\nOriginal Traceback (most recent call last):\n"
        f'  File "{torch.__file__}", line 5, in call\n    return call()\n'
        f'  File "{tmp_path}/net.py", line 7, in forward\n    raise ValueError(text)\n'
        "ValueError: odd\nand worse\n"
    )
    said = sentence_of(error, 8, UserCode(tmp_path / "net.py"))
    assert said == f"{tmp_path}/net.py:7, in forward: ValueError: odd and worse"


TAKES = """
import torch
def model(*taken):
    net = torch.nn.Linear(2, 2)
    net.taken = taken
    return net
def nothing(): return model()
def classes(classes): return model(classes)
def both(image_size, classes): return model(classes, image_size)
def by_name(*, image_size, num_classes=3): return model(num_classes, image_size)
def other_name(outputs): return model(outputs)
def unrelated(width=64): return model(width)
def any_number(*given): return model(*given)
"""


@pytest.mark.parametrize(
    ("function", "taken"),
    [
        *(("nothing", ()), ("classes", (7,)), ("both", (7, 48)), ("by_name", (7, 48))),
        *(("other_name", (7,)), ("unrelated", (64,)), ("any_number", (7,))),
    ],
)
def test_a_function_gets_what_it_takes(function: str, taken: tuple[int, ...], tmp_path: Path) -> None:
    file = write(tmp_path, "takes.py", TAKES)
    model = build_model(Workload(model=f"{file}:{function}", classes=7, image_size=48))
    assert model.taken == taken


@pytest.fixture
def without_torchvision() -> Iterator[None]:
    """A process that has not imported torchvision, and gets its own back."""
    before = torchvision_modules()
    forget_torchvision()
    yield
    forget_torchvision()
    sys.modules.update(before)


def torchvision_modules() -> dict[str, ModuleType]:
    return {name: each for name, each in sys.modules.items() if name.partition(".")[0] == "torchvision"}


def forget_torchvision() -> None:
    for name in torchvision_modules():
        del sys.modules[name]


@pytest.mark.usefixtures("without_torchvision")
def test_file_may_import_a_torchvision_whose_operators_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "torchvision"
    package.mkdir(parents=True)
    (package / "part.py").write_text("imported = True\n")
    (package / "__init__.py").write_text(
        "import torch\nfrom . import part\n"
        'if not hasattr(torch.ops.torchvision, "nms_of_a_test"):\n'
        '    raise RuntimeError("operator torchvision::nms does not exist")\n'
        "whole = True\n"
    )
    declared = {"nms_of_a_test": "nms_of_a_test(Tensor dets) -> Tensor"}
    monkeypatch.setattr(vision, "MISSING_OPERATORS", declared)
    monkeypatch.syspath_prepend(package.parent)
    file = tmp_path / "wants_torchvision.py"
    file.write_text("import torchvision.part\nwhole = torchvision.whole and torchvision.part.imported\n")

    assert import_script(file).whole

    (package / "__init__.py").write_text('raise RuntimeError("another error")\n')
    forget_torchvision()
    with pytest.raises(RuntimeError, match="another error"):
        import_script(file)
