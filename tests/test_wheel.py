"""The wheel holds the whole tree and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

TREE = Path(__file__).parent.parent
SHIPPED = {".md", ".py", ".tcss", ".toml", ".txt", ".typed"}


def test_the_wheel_holds_every_module_style_and_preset(tmp_path: Path) -> None:
    source = tmp_path / "source"
    files = [
        path.relative_to(TREE)
        for top in ("engine", "tui", "presets")
        for path in (TREE / top).rglob("*")
        if path.suffix in SHIPPED
    ]
    for path in [*files, Path("pyproject.toml"), Path("README.md"), Path("LICENSE")]:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes((TREE / path).read_bytes())
    program = "import setuptools.build_meta as build, sys; build.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=source, check=True, capture_output=True, text=True
    )
    wheel = next(tmp_path.glob("*.whl"))
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == {f"gpubench_tui/{path.as_posix()}" for path in files}
