"""A session's results for other programs: JSON and CSV.

JSON, `"schema": "gpubench-tui/report"`, `"version": 1`. Times are seconds, memory is bytes, rates are
samples/s, accuracies and efficiencies are shares of 1; what is not available is null:

    schema, version
    session      name, program, unix_time, elapsed, outcome (finished, stopped, null), preset, title, question
    headline     one sentence, may be empty
    host         as in `engine.host.facts.Host`
    settings     run id -> the settings its first rank reported
    results      one object for each run of the plan, as in `engine.analysis.results.Result`
    evaluations  run id -> rank -> for each epoch: epoch, train_loss, train_accuracy, test_loss,
                 test_accuracy, seconds
    log          warnings and errors: level, text, run, at

Keys may be added; none is removed or redefined without raising `version`. CSV has one row for each run;
its column names carry their units, and what is not available is empty.
"""

from __future__ import annotations

import csv as csv_writer
import io
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from ..record.session import RunState, Session
from .markdown import markdown
from .results import Result, headline, results

VERSION = 1

Format = Literal["md", "json", "csv"]

CSV_COLUMNS: dict[str, Callable[[Result], Any]] = {
    "run": lambda result: result.run,
    "label": lambda result: result.label,
    "mode": lambda result: result.mode,
    "devices": lambda result: result.devices,
    "workload": lambda result: result.workload,
    "batch_per_device": lambda result: result.batch_per_device,
    "global_batch": lambda result: result.global_batch,
    "state": lambda result: result.state,
    "reason": lambda result: result.reason,
    "failure_kind": lambda result: result.failure and result.failure.kind,
    "windows": lambda result: result.windows,
    "throughput_samples_per_s": lambda result: result.throughput,
    "spread_samples_per_s": lambda result: result.spread,
    "interval_low_samples_per_s": lambda result: result.interval and result.interval[0],
    "interval_high_samples_per_s": lambda result: result.interval and result.interval[1],
    "throughput_per_device_samples_per_s": lambda result: result.throughput_per_device,
    "step_s": lambda result: result.step_seconds,
    "baseline": lambda result: result.baseline,
    "speedup": lambda result: result.speedup,
    "speedup_low": lambda result: result.speedup_interval and result.speedup_interval[0],
    "speedup_high": lambda result: result.speedup_interval and result.speedup_interval[1],
    "efficiency": lambda result: result.efficiency,
    "scaling": lambda result: result.scaling,
    "concurrency_gain": lambda result: result.concurrency_gain,
    "peak_memory_bytes": lambda result: result.peak_memory_bytes,
    "parameters": lambda result: result.parameters,
    "epochs": lambda result: result.epochs,
    "test_accuracy": lambda result: result.test_accuracy,
    "test_loss": lambda result: result.test_loss,
    "epoch_s": lambda result: result.epoch_seconds,
    "replicas_equal": lambda result: result.replicas_equal,
    "stop_reason": lambda result: result.stop_reason,
    "notes": lambda result: "; ".join(result.notes),
}


def render(session: Session, form: Format) -> str:
    """The report in that format, ending with a line break."""
    return {"md": markdown, "json": json, "csv": csv}[form](session)


def json(session: Session) -> str:
    """Everything a report says, as one JSON object."""
    document = {
        "schema": "gpubench-tui/report",
        "version": VERSION,
        "session": {
            "name": session.name,
            "program": session.program,
            "unix_time": session.unix_time,
            "elapsed": session.elapsed,
            "outcome": session.outcome,
            "preset": session.plan.preset,
            "title": session.plan.title,
            "question": session.plan.question,
        },
        "headline": headline(session),
        "host": session.host,
        "settings": {name: _settings(run) for name, run in session.runs.items()},
        "results": results(session),
        "evaluations": {name: _evaluations(run) for name, run in session.runs.items() if run.evaluations},
        "log": [
            {"level": line.level, "text": line.text, "run": line.run, "at": line.at}
            for line in session.log
            if line.level != "info"
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def csv(session: Session) -> str:
    """One row for each run of the plan."""
    text = io.StringIO()
    writer = csv_writer.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for result in results(session):
        writer.writerow(value(result) for value in CSV_COLUMNS.values())
    return text.getvalue()


def _settings(run: RunState) -> dict[str, str | int | float | bool]:
    return run.ranks[min(run.ranks)].settings if run.ranks else {}


def _evaluations(run: RunState) -> dict[str, list[dict[str, float | None]]]:
    fields = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "seconds")
    return {
        str(rank): [{field: getattr(item, field) for field in fields} for item in items]
        for rank, items in run.evaluations.items()
    }
