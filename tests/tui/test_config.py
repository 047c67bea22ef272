"""The user's settings: what a file may say, what is said about a wrong one, what they change in the app."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from driving.app import wait_for_text, wait_until
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.cli.main import main
from gpubench_tui.tui.config import Config, config_path, read_config
from gpubench_tui.tui.keymap import check_keys, declared_bindings
from gpubench_tui.tui.screens.dialogs.help import HelpScreen


def write(text: str) -> Path:
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_all_is_as_the_program_has_it() -> None:
    assert read_config() == Config()


def test_a_file_changes_what_it_names() -> None:
    write(
        'theme = "light"\nascii = true\nsessions_dir = "~/bench"\n'
        '[keys]\nmonitor.stop = "x,ctrl+x"\n"app.help" = "h"\n'
    )
    assert read_config() == Config(
        theme="light",
        ascii=True,
        sessions_dir=Path.home() / "bench",
        keys={"monitor.stop": "x,ctrl+x", "app.help": "h"},
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('theme = "lite"', 'theme: expected "dark" or "light", got \'lite\''),
        ("theme = []", 'theme: expected "dark" or "light", got []'),
        ("ascii = 1", "ascii: expected true or false, got 1"),
        ("sessions_dir = 3", "sessions_dir: expected the path of a folder, in quotes, got 3"),
        ("keys = 3", "keys: expected a table of keys in quotes"),
        ("[keys]\napp.help = 3", "keys: expected a table of keys in quotes"),
        ('asci = "x"', "asci: no such setting; did you mean ascii?"),
        (
            "colour = 1",
            "colour: no such setting; choose from: theme, ascii, sessions_dir, bell, notification, "
            "window_title, keys",
        ),
        ("theme =", "is not valid TOML: "),
    ],
)
def test_what_is_wrong_is_a_sentence_with_the_file_the_key_and_what_is_allowed(text: str, said: str) -> None:
    path = write(text)
    (problem,) = read_config().problems
    assert problem.startswith(f"{path}: {said}")


def test_what_is_right_beside_something_wrong_counts() -> None:
    write('theme = "lite"\nascii = false')
    assert read_config().ascii is False


def test_every_binding_has_an_id_of_its_own_screen_and_says_what_it_does() -> None:
    for one in declared_bindings(GpubenchApp).values():
        area, _, verb = one.id.partition(".")
        assert area.islower() and verb, one.id
        assert one.tooltip, one.id
        assert len(set(one.keys)) == len(one.keys), f"{one.id} is declared twice"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"monitor.stpo": "x"}, "no such action; did you mean monitor.stop?"),
        ({"foo.bar": "x"}, "no such action; gpubench-tui config lists all"),
        ({"monitor.stop": "strg+x"}, "'strg+x' is not a key"),
        ({"monitor.stop": "x,"}, "'' is not a key"),
        ({"monitor.stop": "shift+x"}, "terminals send shift+x as X; write X instead"),
        ({"monitor.stop": "ctrl+shift+x"}, "terminals send ctrl+shift+x as ctrl+x; write ctrl+x instead"),
        ({"monitor.stop": "f5,ctrl+i"}, "terminals send ctrl+i as tab; write tab instead"),
        ({"monitor.stop": "d"}, "d is already the key of monitor.detach (Quit and leave"),
        ({"replay.pause": "t"}, "t is already the key of monitor.results (Show the results so far)"),
        ({"app.help": "x,s"}, "s is already the key of monitor.stop (Stop the session"),
    ],
)
def test_keys_that_make_no_sense_are_refused_with_a_sentence(wanted: dict[str, str], said: str) -> None:
    sound, (problem,) = check_keys(wanted, declared_bindings(GpubenchApp))
    assert sound == {}
    assert problem.startswith(f'keys: "{next(iter(wanted))}": {said}')


def test_two_may_swap_their_keys_and_screens_may_share_one() -> None:
    wanted = {"monitor.stop": "k", "monitor.skip": "s", "results.export": "v", "app.help": "?,h"}
    assert check_keys(wanted, declared_bindings(GpubenchApp)) == (wanted, [])


def test_a_key_that_goes_back_to_what_it_was_takes_another_with_it() -> None:
    sound, problems = check_keys({"monitor.stop": "k", "monitor.skip": "d"}, declared_bindings(GpubenchApp))
    assert sound == {}
    assert len(problems) == 2


def test_the_config_command_prints_the_place_and_a_file_that_means_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write('theme = "light"\n[keys]\nmonitor.stop = "x"\n')
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"# {path}\n")
    assert '# app.help = "question_mark,f1"' in out
    assert tomllib.loads(out) == {"theme": "light", "keys": {"monitor": {"stop": "x"}}}
    # With every comment turned into a setting it is still a file without mistakes.
    lines = [line.removeprefix("# ") if " = " in line else line for line in out.splitlines()]
    write("\n".join(lines))
    config = read_config()
    assert config.problems == ()
    assert check_keys(config.keys, declared_bindings(GpubenchApp)) == (config.keys, [])


def test_the_config_command_tells_all_that_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    path = write('asci = true\n[keys]\nmonitor.stop = "d"\n')
    assert main(["config"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert [line.startswith(f"gpubench-tui: {path}: ") for line in err] == [True, True]


def test_other_commands_go_on_with_a_broken_file_and_use_a_good_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(f'theme = 3\nsessions_dir = "{tmp_path}"\n')
    assert main(["sessions"]) == 0
    captured = capsys.readouterr()
    assert "theme: expected" in captured.err
    assert str(tmp_path) in captured.out + captured.err


async def test_the_app_takes_theme_and_keys(tmp_path: Path) -> None:
    config = Config(theme="light", ascii=True, keys={"app.help": "h", "app.quit": "X"})
    app = GpubenchApp(tmp_path, config=config)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await wait_for_text(pilot, "h Help", "X Quit")
        assert not app.current_theme.dark and text.isascii()
        await pilot.press("question_mark")
        await pilot.press("h")
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape", "X")
        await wait_until(pilot, lambda: app._exit)


async def test_a_broken_config_is_said_in_the_app_and_keeps_nothing_from_working(tmp_path: Path) -> None:
    config = Config(problems=("config.toml: theme: wrong",), keys={"app.help": "h", "app.quit": "h"})
    app = GpubenchApp(tmp_path, config=config)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await wait_for_text(pilot, "theme: wrong", '"app.quit": h is', "h Help", "q Quit", "Quickstart")
    assert any("app.quit" in words for words in app.parting_messages)


def test_a_terminal_that_cannot_move_its_cursor_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert main([]) == 2
    assert "TERM is dumb; gpubench-tui run PRESET --headless measures without" in capsys.readouterr().err
