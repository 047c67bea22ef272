"""Shell completion: what may come next, and that real shells complete it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from building.recorded import shelve
from gpubench_tui.tui.cli.commands.completion_scripts import SCRIPTS
from gpubench_tui.tui.cli.main import main


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """A folder with the sessions `first-...` and `second-...`."""
    for name in ("first", "second"):
        shelve(tmp_path / "sessions", 2, name=name, until=1.0)
    return tmp_path / "sessions"


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["__complete", *words]) == 0
    return [line.partition("\t")[0] for line in capsys.readouterr().out.splitlines()]


def test_commands_come_with_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"run", "attach", "sessions", "completion"} <= set(ask(capsys, ""))
    assert ask(capsys, "re") == ["replay", "report", "rename"]
    assert main(["__complete", "atta"]) == 0
    assert capsys.readouterr().out == "attach\topen the live monitor on a running session\n"


def test_presets_and_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, "run", "")[0] == "quickstart"
    assert ask(capsys, "run", "--gpus", "0,1", "single") == ["single-dp-ddp"]
    assert ask(capsys, "run", "./q") == [":files"]
    assert ask(capsys, "--set", "measure.ta") == ["measure.target="]
    assert ask(capsys, "run", "--set", "without_gpus.workload.ba") == [
        "without_gpus.workload.batch=",
        "without_gpus.workload.batch_scope=",
    ]
    assert "without_gpus.measure=" not in ask(capsys, "run", "--set", "without_gpus.")
    assert ask(capsys, "run", "--set", "workload.batch=6") == []
    assert ask(capsys, "run", "--vary", "precis") == ["precision="]
    assert ask(capsys, "--vary", "precision=") == [
        f"precision={each}" for each in ("fp32", "tf32", "fp16", "bf16")
    ]
    assert ask(capsys, "run", "--vary", "precision=fp32,b") == ["precision=fp32,bf16"]
    assert ask(capsys, "run", "--vary", "compile=true,") == ["compile=true,false"]
    assert ask(capsys, "run", "--vary", "name") == []
    assert ask(capsys, "run", "--set", "workload.precision=f") == [
        "workload.precision=fp32",
        "workload.precision=fp16",
    ]
    assert ask(capsys, "--set", "workload.model=vit-t") == ["workload.model=vit-tiny"]
    assert ask(capsys, "run", "--set", "nosuch.key=") == []
    assert ask(capsys, "presets", "single") == ["single-dp-ddp"]
    assert "--headless" in ask(capsys, "run", "quickstart", "")


def test_sessions_newest_first_in_the_folder_that_was_said(
    capsys: pytest.CaptureFixture[str], sessions: Path
) -> None:
    place = f"--sessions-dir={sessions}"
    found = ask(capsys, place, "replay", "")
    assert sorted(name.partition("-")[0] for name in found) == ["first", "second"]
    assert [name[:5] for name in ask(capsys, "compare", "--sessions-dir", str(sessions), "x", "fi")] == [
        "first"
    ]
    assert len(ask(capsys, "delete", place, *found, "")) == 2
    assert ask(capsys, "attach", place, "") == [], "none runs"
    assert ask(capsys, "report", "/tm") == [":directories"]


def test_what_can_be_tried_on_the_session_that_was_typed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = shelve(tmp_path / "whole", 2, name="whole")
    place = f"--sessions-dir={tmp_path / 'whole'}"
    assert ask(capsys, "try", place, "") == [folder.name]
    assert "low MFU in fp32" in ask(capsys, "try", place, folder.name, "")
    assert ask(capsys, "try", place, folder.name, "--remedy", "tf") == ["tf32"]
    assert all(run.startswith("0") for run in ask(capsys, "try", place, folder.name, "--run", ""))
    assert ask(capsys, "try", place, "nowhere", "") == []
    assert ask(capsys, "tune", "quick") == ["quickstart"]
    assert ask(capsys, "tune", "--allow", "recipe,n") == ["recipe,numerics"]
    assert ask(capsys, "tune", "--mode", "f") == ["fsdp"] and ask(capsys, "tune", "--run", "") == []


def test_values_of_options_however_the_shell_splits_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, "compare", "--format", "t") == ["text"]
    assert ask(capsys, "compare", "--format=t") == ["--format=text"]
    assert ask(capsys, "compare", "--format", "=", "t") == ["text"], "as bash does"
    assert ask(capsys, "compare", "--format", "=") == ["text", "md", "json"]
    assert ask(capsys, "run", "--set", "measure.target", "=", "0", "quick") == ["quickstart"], "bash again"
    assert ask(capsys, "report", "-o", "") == ask(capsys, "run", "--output", "") == [":files"]
    assert ask(capsys, "--sessions-dir", "") == [":directories"]


def test_every_script_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, "completion", "") == list(SCRIPTS)
    for shell, script in SCRIPTS.items():
        assert main(["completion", shell]) == 0
        assert capsys.readouterr().out == script


def test_an_answer_loads_neither_textual_nor_the_analysis() -> None:
    program = (
        "import sys; from gpubench_tui.tui.cli.main import main\n"
        "for command in ('run', 'report'): main(['__complete', command, ''])\n"
        "print(*{'textual', 'gpubench_tui.engine.analysis'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == ""


# Real shells


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which the program is found as a shell finds it."""
    program = tmp_path / "bin" / "gpubench-tui"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gpubench_tui.tui.cli "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "TERM": "dumb",
        "HOME": str(tmp_path),
        "PS1": "$ ",
        "LC_ALL": "C.UTF-8",
    }


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(gpubench-tui completion bash)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'bindkey -e; autoload -U compinit; compinit -u -D; eval "$(gpubench-tui completion zsh)"',
    ),
}


def completed(shell: str, environment: dict[str, str], line: str) -> str:
    """What becomes of the line when Tab is pressed at its end: the shell says it itself."""
    command, setup = SHELLS[shell]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environment)
    try:
        os.write(terminal, f"{setup}; echo RE''ADY\r".encode())
        _read_until(terminal, b"READY")
        os.write(terminal, f"{line}\t\x01echo RE''SULT: \x05 .\r".encode())
        output = _read_until(terminal, b"RESULT:", b".\r\n")
    finally:
        os.close(terminal)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    result = output.decode(errors="replace").rpartition("RESULT:")[2]
    return result.partition(".\r\n")[0].strip()


def _read_until(terminal: int, *texts: bytes) -> bytes:
    output, deadline = b"", time.monotonic() + 240
    while not all(text in output for text in texts):
        assert time.monotonic() < deadline, output[-3000:]
        if select.select([terminal], [], [], 0.2)[0]:
            output += os.read(terminal, 65536)
    return output


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gpubench-tui atta", "gpubench-tui attach"),
        ("gpubench-tui run quick", "gpubench-tui run quickstart"),
        ("gpubench-tui run --headl", "gpubench-tui run --headless"),
        ("gpubench-tui compare --format=te", "gpubench-tui compare --format=text"),
        ("gpubench-tui run --set measure.tar", "gpubench-tui run --set measure.target="),
        ("gpubench-tui run --set a.b=0 quick", "gpubench-tui run --set a.b=0 quickstart"),
        ("gpubench-tui run quickstart --output no", "gpubench-tui run quickstart --output notes.md"),
        ("gpubench-tui run quickstart --output=no", "gpubench-tui run quickstart --output=notes.md"),
        ("gpubench-tui run a --output last\\ w", "gpubench-tui run a --output last week.md"),
    ],
)
@pytest.mark.slow
def test_a_real_shell_completes_it(
    shell: str,
    line: str,
    expected: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.md").touch()
    (tmp_path / "last week.md").touch()
    assert completed(shell, environment, line) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes_the_name_of_a_session(
    shell: str, environment: dict[str, str], sessions: Path
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    result = completed(shell, environment, f"gpubench-tui --sessions-dir {sessions} replay fir")
    assert result.rpartition(" ")[2] == next(path.name for path in sessions.iterdir() if path.name[0] == "f")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gpubench-tui atta", ["attach\topen the live monitor on a running session"]),
        ("gpubench-tui run quick", ["quickstart\tQuickstart"]),
        ("gpubench-tui compare --format=te", ["--format=text"]),
        ("gpubench-tui run --set workload.precision=b", ["workload.precision=bf16"]),
        ("gpubench-tui run quickstart --output bi", ["bin/"]),
        ("gpubench-tui run quickstart --output=bi", ["--output=bin/"]),
        ("gpubench-tui run quickstart --output ~/bi", ["~/bin/"]),
        ("gpubench-tui --sessions-dir=bi", ["--sessions-dir=bin/"]),
        ("gpubench-tui completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_fish_completes_it(
    line: str, expected: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    script = f"gpubench-tui completion fish | source; complete -C '{line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [found.removesuffix("\tDirectory") for found in done.stdout.splitlines()] == expected
