"""The documents say what is so: commands parse, presets are valid, links and paths lead somewhere."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from gpubench_tui.engine.analysis.results.phases import PARTS, WORDS
from gpubench_tui.engine.plan.preset.library import all_presets
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.tui.cli.main import _parser, main
from gpubench_tui.tui.config import read_config

TREE = Path(__file__).parent.parent
README = TREE / "README.md"
PAGES = sorted([*TREE.glob("*.md"), *(TREE / "docs").glob("*.md")])
KEYS = {"slash": "/", "question_mark": "?", "left_square_bracket": "[", "right_square_bracket": "]"}
"""Keys as documents write them, by Textual's name."""


def named(page: Path) -> str:
    return str(page.relative_to(TREE))


def parts(page: Path) -> tuple[str, list[tuple[str, str]]]:
    """The text of a page without its code blocks, and those with their language; indented ones have none."""
    prose, code = list[str](), list[tuple[str, list[str]]]()
    in_fence = in_indented = False
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            in_fence = not in_fence
            if in_fence:
                code.append((line.removeprefix("```"), []))
        elif in_fence:
            code[-1][1].append(line)
        elif line.startswith("    ") and (in_indented or not prose[-1]):
            if not in_indented:
                code.append(("", []))
            code[-1][1].append(line.strip())
            in_indented = True
        else:
            prose.append(line)
            in_indented = False
    return "\n".join(prose), [(language, "\n".join(lines)) for language, lines in code]


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in parts(page)[1] if language in languages]


def inline_code(page: Path) -> list[str]:
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", parts(page)[0])


def links(page: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", parts(page)[0]) if "://" not in link]


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", parts(page)[0], re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shown_commands(page: Path) -> Iterator[list[str]]:
    """The words after each `gpubench-tui` that a page shows, without the brackets of optional ones."""
    lines = [line for block in blocks(page, "", "bash") for line in block.splitlines()]
    for line in (*lines, *inline_code(page)):
        for found in re.finditer(r"(?:^|[\s/(])gpubench-tui(?= |$)([^|;&)\n]*)", line):
            words = shlex.split(found[1].replace("[", "").replace("]", ""), comments=True)
            yield [word for word in words if word != "..."]


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings if option[:2] == "--"}


COMMANDS = sorted({(named(page), *words) for page in PAGES for words in shown_commands(page)})


@pytest.mark.parametrize("shown", COMMANDS, ids=" ".join)
def test_every_command_shown_is_one(shown: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    words = list(shown[1:])
    if len(words) == 1:  # only named
        words.append("--help")
    try:
        _parser().parse_args(words)
    except SystemExit as ended:
        assert ended.code == 0, capsys.readouterr().err


def test_commands_are_found_in_all_the_ways_in_which_pages_show_them() -> None:
    for words in ((), ("compare", "A", "B"), ("run", "quickstart")):
        assert ("README.md", *words) in COMMANDS
    for words in (("completion", "bash"), ("presets", "--set", "workload.precision=bf16")):
        assert ("docs/commands.md", *words) in COMMANDS


def test_every_command_and_every_option_is_documented() -> None:
    page = TREE / "docs" / "commands.md"
    text = page.read_text()
    for parser in parsers(_parser()):
        command = parser.prog.removeprefix("gpubench-tui").strip()
        assert not command or re.search(rf"^###? .*\b{command}\b", text, re.MULTILINE), f"{page}: {command}"
        for option in options_of(parser) - {"--help"}:
            assert option in text, f"{page}: {option} of {command or 'the app'}"


def test_every_command_has_an_example_in_its_section_and_a_row_in_the_readme() -> None:
    sections = re.split(r"^###? ", (TREE / "docs" / "commands.md").read_text(), flags=re.MULTILINE)
    rows = [line for line in README.read_text().splitlines() if line.startswith("| `gpubench-tui")]
    commands = {parser.prog.removeprefix("gpubench-tui").strip() for parser in parsers(_parser())} - {""}
    lacking = [
        command
        for command in sorted(commands)
        if not any(
            command in section.partition("\n")[0]
            and re.search(rf"^    gpubench-tui {command}\b", section, re.MULTILINE)
            for section in sections
        )
        or not any(re.search(rf"`gpubench-tui {command}\b", row) for row in rows)
    ]
    assert not lacking


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_option_named_is_one(page: Path) -> None:
    known = {option for parser in parsers(_parser()) for option in options_of(parser)}
    for file in (TREE / "tests").rglob("conftest.py"):
        known |= set(re.findall(r"\"(--[\w-]+)\"", file.read_text()))
    options = {code.partition(" ")[0].partition("=")[0] for code in inline_code(page) if code[:2] == "--"}
    assert options <= known


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_preset_and_every_config_shown_is_valid(page: Path, tmp_path: Path) -> None:
    (tmp_path / "my_model.py").write_text("def build(classes): ...")
    training = (TREE / "presets" / "my_training.txt").read_text()
    (tmp_path / "my_training.py").write_text(training)
    for block in blocks(page, "toml"):
        if "question" in tomllib.loads(block):
            read_preset(block, named(page), folder=tmp_path)
        else:
            file = tmp_path / "config.toml"
            file.write_text(block)
            assert not read_config(file).problems


def test_presets_are_shown() -> None:
    assert any("[matrix]" in block for block in blocks(README, "toml"))
    assert sum("[matrix]" in block for block in blocks(TREE / "docs" / "presets.md", "toml")) >= 2


def test_every_preset_of_the_program_is_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    rows = re.findall(
        r"^\| `([\w-]+)` \| [A-Z].*\?", (TREE / "docs" / "presets.md").read_text(), re.MULTILINE
    )
    assert sorted(rows) == sorted(preset.name for preset in all_presets())


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_named_exists(page: Path) -> None:
    code = [*inline_code(page), *blocks(page, "", "bash")]
    tops = "engine|tui|tests|benchmarks|presets|docs"
    for path in re.findall(rf"(?<![\w./~-])((?:{tops})/[\w./*-]*[\w*])", "\n".join(code)):
        assert list(TREE.glob(path)), path


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [README]
    while waiting:
        page = waiting.pop().resolve()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += [page.parent / link.partition("#")[0] for link in links(page) if link[0] != "#"]
    assert set(PAGES) <= reached


def test_the_readme_is_short_and_begins_with_a_picture() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= 145
    assert any(line.startswith("![") for line in lines[:15])


def test_the_readme_says_that_no_gpu_has_confirmed_anything_only_while_that_is_so() -> None:
    rows = re.findall(r"^\|.*\|$", (TREE / "docs" / "hardware.md").read_text(), re.MULTILINE)
    is_confirmed = any("confirmed on" in row.split("|")[2] for row in rows if row.count("|") > 2)
    assert ("Not yet confirmed on a GPU" in " ".join(README.read_text().split())) != is_confirmed


def diagnosis_names() -> Iterator[str]:
    """The names that rules give, in the source of the rules."""
    for file in (TREE / "engine" / "analysis" / "diagnosis").glob("*.py"):
        tree = ast.parse(file.read_text())
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            if isinstance(node.targets[0], ast.Name)
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            given = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
            given += call.args[:1] if getattr(call.func, "attr", "") == "diagnosis" else []
            is_diagnosis = getattr(call.func, "attr", getattr(call.func, "id", "")) in (
                "diagnosis",
                "Diagnosis",
            )
            for value in given if is_diagnosis else ():
                name = (
                    constants.get(value.id) if isinstance(value, ast.Name) else getattr(value, "value", None)
                )
                if isinstance(name, str):
                    yield name


def test_every_diagnosis_is_described() -> None:
    section = (TREE / "docs" / "method.md").read_text().partition("| diagnosis | evidence |")[2]
    described = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", section.partition("\n\n")[0], re.MULTILINE)
    assert sorted(set(described) - {"---"}) == sorted(set(diagnosis_names()))


def test_every_part_of_a_step_is_defined() -> None:
    section = (
        (TREE / "docs" / "method.md").read_text().partition("## Parts of a step")[2].partition("\n## ")[0]
    )
    defined = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", section, re.MULTILINE)[2:]
    assert defined == [WORDS.get(part, part) for part in PARTS]


def test_keys_are_those_of_the_app(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["config"]) == 0
    known = dict(re.findall(r'^# ([\w.-]+) = "([^"]+)"', capsys.readouterr().out, re.MULTILINE))
    text = (TREE / "docs" / "commands.md").read_text()
    rows = re.findall(r"^\| [\w ]+ \| `(\S+)` \| [^|]+ \| `([\w.-]+)` \|$", text, re.MULTILINE)
    assert len(rows) > 20
    for key, action in rows:
        assert key in {KEYS.get(each, each) for each in known[action].split(",")}, action


def script(name: str) -> ModuleType:
    """A script in docs/, as a module."""
    spec = spec_from_file_location(name, TREE / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_the_table_of_keys_is_that_of_the_declaration() -> None:
    text = (TREE / "docs" / "presets.md").read_text()
    assert script("write_keys").written(text) == text, "run: python docs/write_keys.py"


def test_the_picture_is_of_a_session_that_the_program_can_read(tmp_path: Path) -> None:
    session = read_session(script("draw_monitor").shelve(tmp_path).journal)
    assert [run.spec.label for run in session.runs.values()] == ["single x1", "ddp x2", "ddp x4", "ddp x8"]
    assert [run.state for run in session.runs.values()] == ["measured"] * 3 + ["running"]


def test_the_picture_says_that_its_figures_are_made_up() -> None:
    svg = (TREE / "docs" / "monitor.svg").read_text()
    assert "simulated session: these figures are made up" in svg
    assert "simulated GPU" in svg.replace("\N{NO-BREAK SPACE}", " ")
    assert "simulated" in next(line for line in README.read_text().splitlines() if "monitor.svg" in line)


def test_the_readme_names_the_versions_that_the_package_accepts() -> None:
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
    text = README.read_text()
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in text
    (torch,) = (each for each in project["dependencies"] if each.startswith("torch>="))
    assert f"torch {torch.removeprefix('torch>=')} or newer" in text


def test_the_program_version_has_its_section_in_the_changelog() -> None:
    version = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]["version"]
    sections = re.findall(
        r"^## \[([^]]+)\](?: - (\d{4}-\d\d-\d\d))?$", (TREE / "CHANGELOG.md").read_text(), re.M
    )
    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == version and sections[1][1]


def test_the_changelog_lists_each_change_once() -> None:
    text = (TREE / "CHANGELOG.md").read_text()
    beginnings = [
        " ".join(words.split()[:6]) for words in re.findall(r"^- (.*(?:\n  .*)*)", text, re.MULTILINE)
    ]
    assert [each for each in beginnings if beginnings.count(each) > 1] == []


FAULTS = TREE / "docs" / "faults.md"


def promised() -> list[tuple[str, str]]:
    """The tests that docs/faults.md names, as file and function."""
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", FAULTS.read_text())


def test_every_promise_about_faults_names_its_test() -> None:
    promises = FAULTS.read_text().partition("\nLimits:")[0].splitlines()
    rows = [line for line in promises if line.startswith("| ") and "**" not in line]
    assert len(promised()) == len(rows) - 2 >= 20  # the heading is two rows
    for file, name in promised():
        functions = [each for each in ast.walk(ast.parse((TREE / file).read_text())) if hasattr(each, "name")]
        assert name in {function.name for function in functions}, f"{file} has no {name}"


def test_every_fault_that_is_tested_is_promised() -> None:
    tested = {
        (str(file.relative_to(TREE)), function.name)
        for file in (TREE / "tests" / "faults").glob("test_*.py")
        for function in ast.parse(file.read_text()).body
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
    }
    assert tested <= set(promised())
