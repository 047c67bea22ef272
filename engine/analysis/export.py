"""Reports in four formats: Markdown and SVG for readers, JSON and CSV for programs.

JSON, `"schema": "gpubench-tui/report"`, `"version": 2`. Times are seconds, memory and messages bytes,
throughputs units per second (a result's `unit`: images, tokens, samples), bandwidths B/s, accuracies and
efficiencies shares of 1; intervals are 95% intervals [low, high]; null means not available or not applicable.

    schema, version
    session      name, program, unix_time, elapsed, outcome (finished, stopped, interrupted, null), reason of
                 an interruption, preset, title, question, trained (model, data, precision, optimizer, batch
                 and changes in one line), changes (key changed from the preset -> its value as TOML),
                 reduced (whether in its form for machines without GPUs), resumes (name of the session that it
                 goes on with), tries_on (session and run that a trial comes from)
    headline     one sentence, may be empty
    diagnosis    findings that explain or cast doubt on the figures, most severe first:
                 `engine.analysis.diagnosis.case.Diagnosis`; advice is text, remedies are changes that can be
                 made to the first of its runs: `engine.plan.remedy.Remedy`
    trial        outcome of a remedy on trial, or null: `engine.analysis.tuning.trial.TrialOutcome`
    tune         course of a tune, or null: `engine.analysis.tuning.tuning.Tuning`
    trials       trials of its remedies by other sessions: `engine.analysis.past_trial.PastTrial`
    host         as in `engine.host.facts.Host`
    settings     run id -> the settings its first rank reported
    results      one object for each configuration of the plan, over its repeats: see the fields of
                 `engine.analysis.results.result.Result`; among them
      phases          `engine.analysis.results.phases.Phases`: seconds and shares by part (input, transfer,
                      forward, backward, dividing, exposed, copying, optimizer, unaccounted), of the run and
                      each rank
      communication   `engine.analysis.results.communication.Communication`: buckets, sync_cost (value,
                      interval, n), exposed, broadcasting, exchange (of dp), curves, traffic, link, wrapper
      compute         `engine.analysis.results.devices.Compute`: FLOP, MFU, energy, memory
      gpus            `engine.analysis.results.devices.GpuUse` of each GPU while the run was measured
      varied          key under test -> value
      contrasts       `engine.analysis.results.variables.Contrast`: each value against another, with its ratio
      others_on_cpus  share of the CPUs of its ranks that other programs used while it was measured
    projection   what more devices would give, by each mode, workload and batch per device:
                 `engine.analysis.projection.projection.Projection`; of kind projected, never measured
    provenance   field of a result -> kind (measured, derived, predicted or datasheet), figure, how
    published    published figures beside the session's: `engine.analysis.report.published.Beside`
    evaluations  run id -> rank -> for each epoch: epoch, train_loss, train_accuracy, test_loss,
                 test_accuracy, seconds
    log          warnings and errors: level, text, run, at

Keys may be added; none is removed or redefined without raising `version`. CSV has one row for each
configuration; column names carry the units, each variable under test has columns of its own at the end
(value, value that it is held against, ratio and its interval), missing values are empty, and text that a
spreadsheet would take for a formula begins with an apostrophe. SVG is one self-contained picture of charts,
880 pixels wide like a README: see `engine.analysis.charts.report`.
"""

from __future__ import annotations

import csv as csv_writer
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from ..record.session import RunState
from ..text.encoding import json_document
from ..text.plain import plain
from .analysis import Analysis
from .charts.report import svg_report
from .report.markdown import markdown
from .report.provenance import origins
from .report.published import beside
from .results.communication import Communication
from .results.devices import Compute
from .results.phases import PARTS, Part
from .results.result import Result
from .results.variables import Contrast
from .trained import trained
from .tuning.trial import trial_outcome
from .tuning.tuning import tuning_of

VERSION = 2

BYTE_ORDER_MARK = "\ufeff"
"""First character of CSV that is not ASCII; without it, Excel takes UTF-8 for another encoding."""
FORMULA_STARTS = ("=", "+", "-", "@")

Format = Literal["md", "json", "csv", "svg"]
FORMATS: tuple[Format, ...] = get_args(Format)

Cell = Callable[[Result], Any]


def _share_of(part: Part) -> Cell:
    return lambda result: result.phases and result.phases.shares[part]


def _of_communication(field: Callable[[Communication], Any]) -> Cell:
    return lambda result: result.communication and field(result.communication)


def _of_compute(field: Callable[[Compute], Any]) -> Cell:
    return lambda result: result.compute and field(result.compute)


CSV_COLUMNS: dict[str, Cell] = {
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
    "unit": lambda result: result.unit,
    "throughput_samples_per_s": lambda result: result.throughput,
    "spread_samples_per_s": lambda result: result.spread,
    "interval_low_samples_per_s": lambda result: result.interval and result.interval[0],
    "interval_high_samples_per_s": lambda result: result.interval and result.interval[1],
    "throughput_per_device_samples_per_s": lambda result: result.throughput_per_device,
    "step_s": lambda result: result.step_seconds,
    "repeats": lambda result: result.repeats,
    "repeat_spread": lambda result: result.repeat_spread,
    "baseline": lambda result: result.baseline,
    "speedup": lambda result: result.speedup,
    "speedup_low": lambda result: result.speedup_interval and result.speedup_interval[0],
    "speedup_high": lambda result: result.speedup_interval and result.speedup_interval[1],
    "efficiency": lambda result: result.efficiency,
    "efficiency_low": lambda result: result.efficiency_interval and result.efficiency_interval[0],
    "efficiency_high": lambda result: result.efficiency_interval and result.efficiency_interval[1],
    "scaling": lambda result: result.scaling,
    "fingerprint": lambda result: result.fingerprint,
    "concurrency_gain": lambda result: result.concurrency_gain,
    "concurrency_gain_low": lambda result: (
        result.concurrency_gain_interval and result.concurrency_gain_interval[0]
    ),
    "concurrency_gain_high": lambda result: (
        result.concurrency_gain_interval and result.concurrency_gain_interval[1]
    ),
    "peak_memory_bytes": lambda result: result.peak_memory_bytes,
    "parameters": lambda result: result.parameters,
    "epochs": lambda result: result.epochs,
    "test_accuracy": lambda result: result.test_accuracy,
    "best_test_accuracy": lambda result: result.best_accuracy,
    "test_loss": lambda result: result.test_loss,
    "epoch_s": lambda result: result.epoch_seconds,
    "detail_step_s": lambda result: result.phases and result.phases.step_seconds,
    **{f"{part}_share": _share_of(part) for part in PARTS},
    "slowest_rank": lambda result: result.phases and result.phases.slowest,
    "bytes_per_step": _of_communication(lambda c: c.bytes_per_step),
    "buckets": _of_communication(lambda c: len(c.buckets) or None),
    "exposed_s": _of_communication(lambda c: c.exposed_seconds),
    "overlap": _of_communication(lambda c: c.overlap),
    "exchange_s": _of_communication(lambda c: sum(c.exchange.values()) or None),
    "exchange_share": _of_communication(lambda c: c.exchange_share),
    "sync_cost_s": _of_communication(lambda c: c.sync_cost and c.sync_cost.value),
    "sync_cost_low_s": _of_communication(
        lambda c: c.sync_cost and c.sync_cost.interval and c.sync_cost.interval[0]
    ),
    "sync_cost_high_s": _of_communication(
        lambda c: c.sync_cost and c.sync_cost.interval and c.sync_cost.interval[1]
    ),
    "predicted_sync_s": _of_communication(lambda c: c.predicted_seconds),
    "busbw_bytes_per_s": _of_communication(lambda c: c.busbw),
    "bandwidth_utilisation": _of_communication(lambda c: c.utilisation),
    "link": _of_communication(lambda c: c.link),
    "link_bytes_per_s": _of_communication(lambda c: c.link_bandwidth),
    "ddp_wrapper_ratio": _of_communication(lambda c: c.wrapper and c.wrapper.value),
    "flop_per_step": _of_compute(lambda c: c.flop_per_step),
    "flop_per_s_per_device": _of_compute(lambda c: c.flop_per_second_per_device),
    "peak_flop_per_s": _of_compute(lambda c: c.peak_flop_per_second),
    "mfu": _of_compute(lambda c: c.mfu),
    "joules_per_sample": _of_compute(lambda c: c.joules_per_sample),
    "peak_reserved_bytes": _of_compute(lambda c: c.peak_reserved_bytes),
    "memory_headroom": _of_compute(lambda c: c.headroom),
    "allocator_retries": _of_compute(lambda c: c.allocator_retries),
    "others_cpu_share": lambda result: result.others_on_cpus,
    "others_gpu_share": lambda result: max(
        (use.others for use in result.gpus if use.others is not None), default=None
    ),
    "replicas_equal": lambda result: result.replicas_equal,
    "stop_reason": lambda result: result.stop_reason,
    "notes": lambda result: "; ".join(result.notes),
}


def render(analysis: Analysis, form: Format) -> str:
    """Render a report in one of the formats, ending with a line break."""
    return {"md": markdown, "json": json, "csv": csv, "svg": svg_report}[form](analysis)


def format_of_file(file: Path) -> Format:
    """Return the format for a file name, Markdown without a suffix; ValueError for an unknown one."""
    suffix = file.suffix.lower()
    if not suffix:
        return "md"
    form = next((form for form in FORMATS if suffix == f".{form}"), None)
    if form is None:
        raise ValueError(
            f"{file.suffix} is not a report format; use {', '.join(f'.{form}' for form in FORMATS)}"
        )
    return form


def json(analysis: Analysis) -> str:
    """Render everything a report contains as one JSON object."""
    session, found = analysis.session, analysis.results
    document = {
        "schema": "gpubench-tui/report",
        "version": VERSION,
        "session": {
            "name": session.name,
            "program": session.program,
            "unix_time": session.unix_time,
            "elapsed": session.elapsed,
            "outcome": session.outcome,
            "reason": session.reason,
            "preset": session.plan.preset,
            "title": session.plan.title,
            "question": session.plan.question,
            "trained": trained(session.plan),
            "changes": session.plan.changes,
            "resumes": session.resumes or None,
            "tries_on": session.plan.trial,
            "reduced": session.plan.reduced,
        },
        "headline": analysis.headline,
        "diagnosis": analysis.diagnoses,
        "trial": trial_outcome(session),
        "tune": tuning_of(session),
        "trials": analysis.trials,
        "host": session.host,
        "settings": {name: _settings(run) for name, run in session.runs.items()},
        "results": found,
        "projection": analysis.projections,
        "provenance": {
            origin.field: {"kind": origin.kind, "figure": origin.figure, "how": origin.how}
            for origin in origins(found)
        },
        "published": beside(analysis),
        "evaluations": {name: _evaluations(run) for name, run in session.runs.items() if run.evaluations},
        "log": [
            {"level": line.level, "text": line.text, "run": line.run, "at": line.at}
            for line in session.log
            if line.level != "info"
        ],
    }
    return json_document(document)


def csv(analysis: Analysis) -> str:
    """Render one row for each configuration of the plan."""
    text = io.StringIO()
    writer = csv_writer.writer(text, lineterminator="\n")
    keys = dict.fromkeys(key for result in analysis.results for key in result.varied)
    columns = {**CSV_COLUMNS, **dict(column for key in keys for column in _columns_of(key))}
    writer.writerow((*columns, "trained"))
    what = trained(analysis.session.plan)
    for result in analysis.results:
        cells = [value(result) for value in columns.values()]
        writer.writerow(map(csv_cell, (*cells, what)))
    table = text.getvalue()
    return table if table.isascii() else BYTE_ORDER_MARK + table


def _columns_of(key: str) -> Iterator[tuple[str, Cell]]:
    """Yield the columns of a variable under test: its value, and its ratio to the one it is held against."""

    def of_contrast(field: Callable[[Contrast], Any]) -> Cell:
        return lambda result: next((field(each) for each in result.contrasts if each.key == key), None)

    yield key, lambda result: result.varied.get(key)
    yield f"{key}_against", of_contrast(lambda each: each.against)
    yield f"{key}_ratio", of_contrast(lambda each: each.ratio)
    yield f"{key}_ratio_low", of_contrast(lambda each: each.interval and each.interval[0])
    yield f"{key}_ratio_high", of_contrast(lambda each: each.interval and each.interval[1])


def csv_cell(value: Any) -> Any:
    """Return a value as a spreadsheet shows it: text that would be taken for a formula begins with `'`."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) else text


def _settings(run: RunState) -> dict[str, str | int | float | bool]:
    return run.ranks[min(run.ranks)].settings if run.ranks else {}


def _evaluations(run: RunState) -> dict[str, list[dict[str, float | None]]]:
    fields = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "seconds")
    return {
        str(rank): [{field: getattr(item, field) for field in fields} for item in items]
        for rank, items in run.evaluations.items()
    }
