"""Acceptance of a machine's GPUs; without a GPU it is skipped as a whole, with one line.

python -m pytest tests/gpu [--hardware-table FILE] [--gpu-budget SECONDS] [--gpu-stand-in]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

from .claims import HERE, PAGE, Outcome, brought_up_to_date, claim_of, rows_of, table
from .machine import Machine, why_no_gpu
from .plan import make_session_plan
from .recorded import RecordedSession, record

BUDGET = 290.0
SPARE = 120.0
"""Seconds beyond the budget after which a test counts as hung."""

SKIPPED = pytest.StashKey[bool]()
MACHINE = pytest.StashKey[Machine]()

Note = Callable[[str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gpu", "acceptance of this machine's GPUs (tests/gpu)")
    group.addoption(
        "--hardware-table",
        metavar="FILE",
        type=Path,
        help="write docs/hardware.md, with what this run confirmed on this machine, to FILE",
    )
    group.addoption(
        "--gpu-budget",
        metavar="SECONDS",
        type=float,
        default=BUDGET,
        help="stop the measurements after so long, and judge what was done (default: %(default)s)",
    )
    group.addoption(
        "--gpu-stand-in",
        action="store_true",
        help="let two shares of the CPU stand in for GPUs, to try the acceptance itself",
    )


def wants_stand_in(config: pytest.Config) -> bool:
    """Return whether CPU shares are to stand in for GPUs."""
    return bool(config.getoption("--gpu-stand-in", default=False))


@cache
def _why_no_gpu() -> str | None:
    from gpubench_tui.engine.host.inspect import inspect_host

    return why_no_gpu(inspect_host())


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out all modules after the one whose skip gives the reason."""
    is_test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if is_test and config.stash.get(SKIPPED, False) else None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Replace the first module by a skip where there is no GPU."""
    if HERE not in module_path.parents or wants_stand_in(parent.config) or _why_no_gpu() is None:
        return None
    parent.config.stash[SKIPPED] = True
    return WithoutGpu.from_parent(parent, path=module_path)


class WithoutGpu(pytest.Module):
    """Stand-in for all tests of this folder: a single skip."""

    def collect(self) -> NoReturn:
        pytest.skip(f"tests/gpu needs an NVIDIA GPU: {_why_no_gpu()}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each test the time of the whole session, which the first one waits for."""
    if not config.pluginmanager.hasplugin("timeout"):
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(config.getoption("--gpu-budget", default=BUDGET) + SPARE))


@pytest.fixture(scope="session")
def machine(pytestconfig: pytest.Config) -> Machine:
    """Return the machine under acceptance, and start its budget."""
    budget = pytestconfig.getoption("--gpu-budget", default=BUDGET)
    found = Machine.inspect(stand_in=wants_stand_in(pytestconfig), budget=budget)
    pytestconfig.stash[MACHINE] = found
    return found


@pytest.fixture(scope="session")
def gpu(machine: Machine) -> None:
    """Skip a test that only a GPU can pass."""
    if not machine.has_gpu:
        pytest.skip("needs a GPU")


@pytest.fixture(scope="session")
def gpus(machine: Machine) -> None:
    """Skip a test that only two GPUs can pass."""
    if not machine.has_gpu or len(machine.devices) < 2:
        pytest.skip("needs two GPUs")


class Parts:
    """Findings of `one_process.py`, by part."""

    def __init__(self, found: dict[str, dict[str, Any]], last_words: str) -> None:
        self._found = found
        self._last_words = last_words

    def __getitem__(self, part: str) -> dict[str, Any]:
        """Return the findings of a part; fails the test where the process did not get that far."""
        assert part in self._found, f"the process ended before its part {part!r}: {self._last_words}"
        facts = self._found[part]
        assert "error" not in facts, facts["error"]
        return facts


@pytest.fixture(scope="session")
def parts(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Run `one_process.py` and return its findings."""
    file = tmp_path_factory.mktemp("one-process") / "facts.json"
    arguments = [str(HERE / "one_process.py"), str(file), *([] if machine.has_gpu else ["--stand-in"])]
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONSAFEPATH": ""},  # its modules lie beside it
            capture_output=True,
            text=True,
            check=False,
            timeout=machine.seconds_for("the measurements in one process", 120),
        )
        last_words = done.stderr.strip()[-2000:]
    except subprocess.TimeoutExpired as error:
        last_words = f"it took more than {error.timeout:.0f} s"
    return Parts(json.loads(file.read_text()) if file.exists() else {}, last_words)


@pytest.fixture(scope="session")
def session(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> RecordedSession:
    """Run the session, and return what was recorded."""
    machine.seconds_for("the session", 1)
    return record(machine, make_session_plan(machine), tmp_path_factory.mktemp("sessions"))


@pytest.fixture
def note(record_property: Callable[[str, object], None]) -> Note:
    """Return a function that puts measured figures beside the claim in the table."""
    return lambda text: record_property("measured", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table of claims, and write the page where one was asked for."""
    machine = config.stash.get(MACHINE, None)
    if machine is None:
        return
    found = claims_of(terminalreporter)
    page = PAGE.read_text() if PAGE.exists() else ""
    words = rows_of(page)
    terminalreporter.section(f"{machine.device_name}, {machine.circumstances}")
    order = [*words, *(name for name in found if name not in words)]
    rows = [(words.get(name, name.replace("_", " ")), *found[name]) for name in order if name in found]
    for line in table(rows):
        terminalreporter.write_line(line)
    file = config.getoption("--hardware-table", default=None)
    if file is not None:
        outcomes = {name: outcome for name, (outcome, _) in found.items()}
        where = "gpu" if machine.has_gpu else "cpu"
        file.write_text(brought_up_to_date(page, outcomes, where, machine.device_name, machine.circumstances))
        terminalreporter.write_line(f"written to {file}")


def claims_of(terminalreporter: pytest.TerminalReporter) -> dict[str, tuple[Outcome, str]]:
    """Return each claim's outcome over all its cases, with measured figures or the reason for a skip."""
    root = terminalreporter.config.rootpath
    cases: dict[str, list[pytest.TestReport]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if not isinstance(report, pytest.TestReport) or Path(root, report.fspath).parent != HERE:
                continue
            if report.when == "call" or report.outcome != "passed":
                cases.setdefault(claim_of(report.nodeid), []).append(report)
    return {claim: (_outcome(reports), _detail(reports)) for claim, reports in cases.items()}


def _outcome(reports: list[pytest.TestReport]) -> Outcome:
    outcomes = {report.outcome for report in reports}
    return "failed" if "failed" in outcomes else "skipped" if "skipped" in outcomes else "confirmed"


def _detail(reports: list[pytest.TestReport]) -> str:
    said = []
    for report in reports:
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            said.append(report.longrepr[2].removeprefix("Skipped: "))
        elif report.outcome == "failed":
            crash = getattr(report.longrepr, "reprcrash", None)
            said.append((crash.message if crash else str(report.longrepr).strip()).splitlines()[0])
        said += [str(value) for name, value in report.user_properties if name == "measured"]
    return "; ".join(dict.fromkeys(said))
