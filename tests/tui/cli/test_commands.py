"""Every command of the command line, as a person types it, on real sessions of short CPU runs."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from building.recorded import shelve
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli import progress
from gpubench_tui.tui.cli.commands.run import run_preset
from gpubench_tui.tui.cli.context import Context
from gpubench_tui.tui.cli.measuring import Wishes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_session_left")]

SHORT = [
    "--set=workload.model=lenet",
    "--set=workload.images=400",
    "--set=workload.batch=16",
    "--set=measure.window_seconds=0.05",
    "--set=measure.windows=3",
    "--set=measure.seconds=0.2",
    "--set=measure.detail=2",
]
ENDLESS = ["--set=measure.seconds=600", "--set=measure.target=0"]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gpubench_tui.tui.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def gpubench(*arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished session, `first`."""
    folder = tmp_path_factory.mktemp("sessions")
    report = folder.parent / "first.md"
    done = gpubench(
        *("run", "quickstart", "--headless", "--name=first"),
        *(f"--sessions-dir={folder}", f"--output={report}", *SHORT),
    )
    assert done.returncode == 0, done.stderr
    (folder.parent / "first.out").write_text(done.stdout)
    (folder.parent / "first.err").write_text(done.stderr)
    return folder


def test_run_prints_progress_on_stderr_and_the_table_on_stdout(shelf: Path) -> None:
    out = (shelf.parent / "first.out").read_text()
    err = (shelf.parent / "first.err").read_text()
    assert "single x1: measured" in err and "ddp x2: measured" in err
    assert "estimate" in err
    assert out.count("\n") > 3
    assert re.search(r"^ddp\s+2\s", out, re.MULTILINE)
    assert "measuring" not in out


def test_run_writes_the_report_as_markdown(shelf: Path) -> None:
    report = (shelf.parent / "first.md").read_text()
    assert report.startswith("# ")
    assert re.search(r"^\| ddp +\| +2 \|", report, re.MULTILINE)


def test_the_report_is_written_though_the_reader_of_the_results_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def follow(folder: SessionFolder, start: object) -> int:
        shutil.copy(shelve(tmp_path / "recorded", 0).journal, folder.journal)
        raise BrokenPipeError

    monkeypatch.setattr(progress, "follow", follow)
    report = tmp_path / "r.md"
    with pytest.raises(BrokenPipeError):
        wishes = Wishes(name=None, output=report, beside="refuse", headless=True, notice=None)
        run_preset(Context(sessions_dir=tmp_path), preset="quickstart", resume=None, wishes=wishes)
    assert "| ddp " in report.read_text()


def test_report_in_every_format(shelf: Path, tmp_path: Path) -> None:
    where = f"--sessions-dir={shelf}"
    markdown = gpubench("report", "first", where)
    assert markdown.stdout == (shelf.parent / "first.md").read_text()
    data = json.loads(gpubench("report", "first", where, "--format=json").stdout)
    assert {result["mode"] for result in data["results"]} == {"single", "ddp"}
    lines = gpubench("report", "first", where, "--format=csv").stdout.splitlines()
    assert len(lines) == 3
    file = tmp_path / "report.csv"
    written = gpubench("report", "first", where, "--format=csv", "-o", str(file))
    assert written.stdout == ""
    assert file.read_text().splitlines() == lines
    charts = gpubench("report", "first", where, "--format=svg").stdout
    assert charts.startswith("<svg ") and "ddp x2" in charts
    file = tmp_path / "report.svg"
    assert gpubench("report", "first", where, "-o", str(file)).returncode == 0
    assert gpubench("report", "first", where, "-o", "-").stdout == markdown.stdout
    assert file.read_text() == charts


def test_sessions_lists_what_is_on_the_shelf(shelf: Path, tmp_path: Path) -> None:
    listing = gpubench("sessions", f"--sessions-dir={shelf}")
    assert re.search(r"^first\S*\s.*finished\s+2 of 2 runs measured", listing.stdout, re.MULTILINE)
    entries = json.loads(gpubench("sessions", f"--sessions-dir={shelf}", "--json").stdout)
    assert [entry["state"] for entry in entries] == ["finished"]
    assert "no sessions yet" in gpubench("sessions", f"--sessions-dir={tmp_path}").stdout


def test_the_preset_as_used_is_kept_and_can_be_run_again(shelf: Path) -> None:
    path = next(shelf.glob("first*")) / "preset.toml"
    overrides = [argument.removeprefix("--set=") for argument in SHORT]
    assert find_preset(str(path)).read() == find_preset("quickstart").read(overrides)


def test_the_next_estimate_knows_the_pace_of_the_last_session(shelf: Path) -> None:
    listing = json.loads(gpubench("presets", "--json", f"--sessions-dir={shelf}", *SHORT).stdout)
    least, most = next(each for each in listing if each["name"] == "quickstart")["estimated_seconds"]
    assert least is not None and most is not None
    assert (shelf / ".paces").stat().st_mode & 0o077 == 0


def test_sessions_are_private_to_the_user(shelf: Path) -> None:
    folder = next(shelf.glob("first*"))
    assert folder.stat().st_mode & 0o077 == 0
    assert [path for path in folder.rglob("*") if path.stat().st_mode & 0o077] == []


def test_presets_lists_skips_with_their_reasons() -> None:
    with_dp = ("--set", 'matrix.modes=["single","dp"]')
    text = gpubench("presets", *with_dp).stdout
    assert "quickstart: Quickstart" in text
    assert "(estimate)" in text
    assert re.search(r"skipped: .*DataParallel needs\s+CUDA GPUs", text)
    data = {preset["name"]: preset for preset in json.loads(gpubench("presets", "--json", *with_dp).stdout)}
    least, most = data["quickstart"]["estimated_seconds"]
    assert 0 < least < most, "the time of a step is not known before the first, but limits of time are"
    assert any(run["skip"] for run in data["quickstart"]["runs"])


def test_doctor_describes_this_machine() -> None:
    data = json.loads(gpubench("doctor", "--json").stdout)
    assert data["host"]["cpu"]["cores"]
    assert data["host"]["software"]["torch"]
    assert "torch" in gpubench("doctor").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "nothing"], "nothing: no such preset; choose from: quickstart"),
        (["run", "quickstart", "--set=workload.bath=3"], "--set workload.bath=3: no such key"),
        (
            ["run", "quickstart", "--set=workload.batch=x"],
            "--set workload.batch=x: expected a whole number, got text",
        ),
        (["run", "quickstart", "--gpus=7"], "--gpus: "),
        (["run", "quickstart", "--output=/no/such/folder/x.md"], "no folder /no/such/folder"),
        (
            ["run", "quickstart", "--output=x.pdf"],
            "--output x.pdf: .pdf is not a report format; use .md, .json, .csv, .svg, .txt",
        ),
        (["report", "nothing"], "nothing"),
        (["stop"], "no session is running"),
        (["attach"], "no session is running"),
        ([], "needs a terminal"),
    ],
)
def test_bad_usage_is_one_sentence_and_status_2(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    done = gpubench(*arguments[:1], f"--sessions-dir={tmp_path}", *arguments[1:])
    assert done.returncode == 2
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_unknown_words_are_status_2_with_the_usage() -> None:
    assert gpubench("walk").returncode == 2
    assert gpubench("run").returncode == 2
    assert gpubench("--version").stdout.startswith("gpubench-tui ")


def test_a_failed_run_is_status_1_and_named(tmp_path: Path) -> None:
    model = tmp_path / "broken.py"
    model.write_text("def build(classes):\n    raise RuntimeError('no such layer')\n")
    done = gpubench(
        "run", "quickstart", f"--sessions-dir={tmp_path}", *SHORT, f"--set=workload.model={model}:build"
    )
    assert done.returncode == 1
    assert "no such layer" in done.stderr
    assert "Traceback" not in done.stderr
    assert "failed" in done.stdout


def line_with(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"the program never said {text!r}")


def session_is_gone(folder: Path) -> bool:
    entries = json.loads(gpubench("sessions", "--json", f"--sessions-dir={folder}").stdout)
    return [entry["state"] for entry in entries] != ["running"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_was_measured(number: signal.Signals, tmp_path: Path) -> None:
    process = start("run", "quickstart", f"--sessions-dir={tmp_path}", *SHORT, *ENDLESS)
    line_with(process, "window ")
    line_with(process, "window ")
    process.send_signal(number)
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 130
    assert re.search(r"^single\s+1\s.*\d", out, re.MULTILINE)
    assert session_is_gone(tmp_path)


def test_an_interrupt_before_the_session_is_up_stops_it_all_the_same(tmp_path: Path) -> None:
    process = start("run", "quickstart", f"--sessions-dir={tmp_path}", *SHORT, *ENDLESS)
    line_with(process, "session ")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=240)
    assert process.returncode == 130
    assert session_is_gone(tmp_path)


def test_a_session_that_never_began_is_said_to_have_no_journal(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copy(next(shelf.glob("first*")) / "plan.json", tmp_path / "empty")
    done = gpubench("report", "empty", f"--sessions-dir={tmp_path}")
    assert done.returncode == 2
    assert "empty has no journal" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_the_system_refuses_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = gpubench("run", "quickstart", f"--sessions-dir={tmp_path / 'file'}")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_killed_run_goes_on_and_attach_and_stop_find_it(tmp_path: Path) -> None:
    where = f"--sessions-dir={tmp_path}"
    process = start("run", "quickstart", where, *SHORT, *ENDLESS)
    line_with(process, "window")
    process.kill()
    process.wait()
    attached = start("attach", where)
    line_with(attached, "window")
    attached.send_signal(signal.SIGINT)
    _, err = attached.communicate(timeout=240)
    assert attached.returncode == 0
    assert "the session continues" in err
    assert not session_is_gone(tmp_path)
    assert gpubench("stop", where).returncode == 0
    assert session_is_gone(tmp_path)


def test_a_session_process_that_is_killed_is_said_and_its_figures_kept(tmp_path: Path) -> None:
    process = start("run", "quickstart", f"--sessions-dir={tmp_path}", *SHORT, *ENDLESS)
    line_with(process, "window ")
    line_with(process, "window ")
    (folder,) = Shelf(tmp_path).all()
    os.kill(int(re.search(r"\d+", folder.lock.read_text())[0]), signal.SIGKILL)  # type: ignore[index]
    out, err = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "ended unexpectedly" in err
    assert "images/s" in out


def test_a_reader_that_leaves_early_gets_no_traceback(shelf: Path) -> None:
    process = start("report", "first", f"--sessions-dir={shelf}")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    time.sleep(0.1)
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait()
