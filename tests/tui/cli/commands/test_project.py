"""The `project` command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from building.recorded import shelve
from gpubench_tui.tui.cli.main import main


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    shelve(tmp_path, 2, name="pair")
    return tmp_path


def project(sessions: Path, *words: str) -> int:
    return main(["project", "--sessions-dir", str(sessions), *words])


def test_it_projects_across_machines_with_the_rate_that_is_given(
    sessions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(sessions, "pair", "--gpus", "64", "--link", "50GB/s,5us") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Projected, not measured:\n")
    assert "Assumed: 50.0 GB/s, 5 µs between machines of 2 devices" in shown
    assert project(sessions, "--gpus", "8,64", "--link", "50GB/s,5us", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)["projection"]
    assert [(point["devices"], point["machines"]) for point in found["points"]] == [(8, 4), (64, 32)]


def test_a_slower_link_gives_less(sessions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates = []
    for link in ("50GB/s,5us", "1Gbit/s,5us"):
        assert project(sessions, "--gpus", "64", "--link", link, "--json") == 0
        rates.append(json.loads(capsys.readouterr().out)["projection"][0]["points"][0]["throughput"])
    assert rates[1] < rates[0] / 5


def test_without_a_rate_a_sentence_says_why_nothing_is_projected(
    sessions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(sessions, "pair", "--gpus", "64") == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    assert "nothing can be projected from pair-" in told.err
    assert "the measured links connect 2 devices" in told.err and "--link 50GB/s,5us" in told.err


def test_a_session_without_several_devices_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelve(tmp_path, 2, name="young", until=1.0)
    assert project(tmp_path, "--gpus", "64") == 2
    assert "no measured run of ddp or fsdp on several devices" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--gpus", "many"), "'many' is not a list of numbers of devices from 2"),
        (("--gpus", "1"), "'1' is not a list of numbers of devices"),
        (("--gpus", "8,"), "'8,' is not a list"),
        (("--gpus", "9" * 5000), "is not a list of numbers of devices"),
        (("--link", "fast"), "'fast' is not a link: expected a bandwidth and a latency, as in 50GB/s,5us"),
        (("--global-batch", "-1"), "'-1' is not a global batch"),
        (("--global-batch", "9" * 5000), "is not a global batch"),
    ],
)
def test_what_is_wrong_with_an_option_is_said(
    sessions: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        project(sessions, *words)
    assert ended.value.code == 2
    assert why in capsys.readouterr().err


def test_sessions_and_options_are_completed(sessions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["__complete", "--sessions-dir", str(sessions), "project", "pa"]) == 0
    assert capsys.readouterr().out.startswith("pair-")
    assert main(["__complete", "project", "--l"]) == 0
    assert capsys.readouterr().out.startswith("--link\t")
