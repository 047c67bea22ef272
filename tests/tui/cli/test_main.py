"""The parser of the command line and the functions that carry commands out agree."""

from __future__ import annotations

import argparse
import inspect
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from gpubench_tui.tui.cli.context import Context, on_terminal
from gpubench_tui.tui.cli.main import _parser, main
from gpubench_tui.tui.config import Config
from gpubench_tui.tui.terminal.leaving import THREAD_NAME

OF_THE_CONTEXT = {"help", "sessions_dir", "ascii", "gpus", "overrides"}
WISHES = {"name", "output", "wait", "anyway", "headless", "notify"}
"""Arguments of all commands that measure, which they take together."""


def parsers() -> dict[str, argparse.ArgumentParser]:
    (commands,) = (action for action in _parser()._actions if isinstance(action.choices, dict))
    assert isinstance(commands.choices, dict)
    return commands.choices


@pytest.mark.parametrize("name", parsers())
def test_a_command_takes_the_arguments_that_its_parser_knows(name: str) -> None:
    parser = parsers()[name]
    context, *parameters = inspect.signature(parser.get_default("command")).parameters.values()
    assert context.annotation == "Context"
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)
    known = {action.dest for action in parser._actions} - OF_THE_CONTEXT
    if parser.get_default("measures"):
        assert known >= WISHES
        known = known - WISHES | {"wishes"}
    assert {parameter.name for parameter in parameters} == known


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sesions"], "'sesions' is not a command; did you mean sessions?"),
        (
            ["quickstart", "--headless"],
            "'quickstart' is not a command; did you mean gpubench-tui run quickstart?",
        ),
        (
            ["--ascii", "quickstart"],
            "'quickstart' is not a command; did you mean gpubench-tui run quickstart?",
        ),
        (["--set", "a=b", "--gpus=0", "atach"], "'atach' is not a command; did you mean attach?"),
        (["--sess", "/tmp", "--gp=0", "atach"], "'atach' is not a command; did you mean attach?"),
    ],
)
def test_a_word_that_is_no_command_is_refused_wherever_it_stands(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == f"gpubench-tui: {sentence}\n"


def test_a_value_of_an_option_is_not_taken_for_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--sessions-dir", str(tmp_path), "sessions", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"


@pytest.mark.parametrize(
    "words",
    [
        ["sessions"],
        ["sessions", "--json"],
        ["report"],
        ["compare", "a", "b"],
        ["trend", "quickstart"],
        ["delete", "a"],
        ["rename", "a", "b"],
        ["attach"],
        ["stop"],
        ["replay"],
    ],
    ids=" ".join,
)
def test_a_folder_of_sessions_that_is_named_and_not_there_is_said(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"--sessions-dir={tmp_path}/typo"
    for line in ([place, *words], [*words, place]):
        assert main(line) == 2
        said = capsys.readouterr()
        assert (
            said.out == ""
            and said.err == f"gpubench-tui: --sessions-dir {tmp_path}/typo: there is no such folder\n"
        )
    assert not list(tmp_path.iterdir())


def test_a_command_that_is_called_leaves_its_caller_alive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import gpubench_tui.tui.app  # noqa: F401  # whose threads the command's own process does not wait for

    done = threading.Event()
    left = threading.Thread(target=done.wait, name=f"{THREAD_NAME}_0", daemon=True)
    left.start()
    try:
        assert main(["--sessions-dir", str(tmp_path), "sessions", "--json"]) == 0
    finally:
        done.set()
        left.join()


@pytest.mark.parametrize("redirected", ["", "stdin", "stdout", "stderr"])
def test_the_app_needs_a_terminal_on_every_standard_stream(
    redirected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ends = pty.openpty()
    with os.fdopen(ends[1], "w") as terminal, (tmp_path / "file").open("w") as file:
        for name in ("stdin", "stdout", "stderr"):
            monkeypatch.setattr(sys, name, file if name == redirected else terminal)
        assert on_terminal() is (redirected == "")
        monkeypatch.undo()
    os.close(ends[0])


def test_declaring_the_commands_loads_nothing_that_only_some_of_them_need() -> None:
    heavy = (
        "textual",
        "rich",
        "msgspec",
        "psutil",
        "gpubench_tui.engine.analysis",
        "gpubench_tui.engine.plan",
    )
    program = (
        "import sys\nfrom gpubench_tui.tui.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print(*(name for name in {heavy!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "completion" in done.stdout
    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize("text", ["", "a", "1,,2", "3-1", "-1", "1-", "0-99999", "\u0663"])
def test_what_is_no_list_of_gpus_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["presets", f"--gpus={text}"])
    assert "argument --gpus: " in capsys.readouterr().err


def test_a_context_holds_what_is_said_before_and_after_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts: list[Context] = []
    monkeypatch.setattr(
        "gpubench_tui.tui.cli.commands.listings.list_presets",
        lambda context, **_: contexts.append(context) or 0,
    )
    words = [
        "--set=a=1",
        "--ascii",
        "--gpus=0",
        "presets",
        "--set=b=2",
        "--gpus=1-3,5",
        f"--sessions-dir={tmp_path}",
    ]
    assert main(words) == 0
    assert contexts == [
        Context(Config(ascii=True), sessions_dir=tmp_path, gpus=(1, 2, 3, 5), overrides=("a=1", "b=2"))
    ]


@pytest.mark.parametrize("command", ["run", "compare", "sessions", "completion"])
def test_the_help_of_a_command_begins_with_what_it_does(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit):
        main([command, "--help"])
    own = " ".join(capsys.readouterr().out.split("\n\n")[1].split())
    assert own.endswith(".") and f"{command} {own[0].lower()}{own[1:-1]}" in listed
