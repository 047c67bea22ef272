"""A session's report as Markdown: reads well on GitHub, and in a terminal as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..record.events import Evaluation
from ..record.session import RunState, Session
from .columns import cell, columns, remarks, side_by_side
from .environment import environment, hardware, settings
from .method import method
from .results import Result, headline, results
from .units import duration, number, percent, ratio

MOST_EPOCHS = 30
MOST_WARNINGS = 20


def markdown(session: Session) -> str:
    """The whole report; of a session that is not over, as far as it went."""
    found = results(session)
    sections = (
        _opening(session),
        _results(found),
        _intervals(found),
        _side_by_side(found),
        _epochs(session),
        _warnings(session),
        _rows("Environment", ("what", "value"), environment(session)),
        _rows("Settings of the ranks", ("setting", "value"), settings(session)),
        _section("How these figures were obtained", [f"- {line}" for line in method(session, found)]),
    )
    return "\n".join(line for section in sections for line in section).rstrip("\n") + "\n"


def _opening(session: Session) -> Iterator[str]:
    yield f"# {session.plan.title or session.name}"
    yield ""
    if session.plan.question:
        yield f"> {session.plan.question}"
        yield ""
    if sentence := headline(session):
        yield f"**{sentence}.**"
        yield ""
    when = time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(session.unix_time))
    yield f"Measured on {hardware(session)}."
    yield (
        f"Session `{session.name}`, preset `{session.plan.preset}`, {when}, {duration(session.elapsed)}, "
        f"gpubench-tui {session.program}."
    )
    if session.outcome is None:
        yield "**The session had not ended, or was cut off, when this was written.**"
    elif session.outcome == "stopped":
        yield "**The session was stopped before its end; what was measured until then is here.**"
    yield ""


def _results(found: Sequence[Result]) -> Iterator[str]:
    shown = columns(found)
    titles = [column.title for column in shown]
    rows = [[cell(column, result) for column in shown] for result in found]
    table = _table(titles, rows, left={column.title for column in shown if column.is_text})
    said = [f"- {result.label}: {_text(remark)}" for result in found for remark in remarks(result)]
    yield from _section("Results", [*table, *([""] if said else []), *said])


def _intervals(found: Sequence[Result]) -> Iterator[str]:
    titles = ("run", "windows", "95% of samples/s", "95% of speedup", "scaling", "measuring ended by")
    rows = [
        (
            result.label,
            str(result.windows),
            _interval(result.interval, number),
            _interval(result.speedup_interval, ratio),
            result.scaling or "",
            result.stop_reason or result.state,
        )
        for result in found
        if result.windows
    ]
    table = _table(titles, rows, left={"run", "scaling", "measuring ended by"})
    yield from _section("How sure this is", table)


def _side_by_side(found: Sequence[Result]) -> Iterator[str]:
    for result in found:
        lines = [f"- {_text(line)}" for line in side_by_side(result)]
        yield from _section(f"Side by side: {result.label}", lines)


def _epochs(session: Session) -> Iterator[str]:
    for run in session.runs.values():
        for rank in sorted(run.evaluations):
            # Ranks of one training evaluate the same model: the first of them speaks for all.
            if run.spec.mode == "concurrent" or rank == min(run.evaluations):
                yield from _section(_epochs_title(run, rank), _epoch_table(list(run.evaluations[rank])))


def _epochs_title(run: RunState, rank: int) -> str:
    whose = f", {run.spec.workload_of(rank).name}" if run.spec.mode == "concurrent" else ""
    return f"Epochs: {run.spec.label}{whose}"


def _epoch_table(evaluations: Sequence[Evaluation]) -> list[str]:
    titles = ("epoch", "train loss", "train accuracy", "test loss", "test accuracy", "training time")
    stride = -(-len(evaluations) // MOST_EPOCHS)
    shown = [item for i, item in enumerate(evaluations, 1) if i % stride == 0 or i in (1, len(evaluations))]
    rows = [
        (
            str(item.epoch),
            _loss(item.train_loss),
            percent(item.train_accuracy),
            _loss(item.test_loss),
            percent(item.test_accuracy),
            duration(item.seconds),
        )
        for item in shown
    ]
    best = max(evaluations, key=lambda item: item.test_accuracy)
    summary = f"Best test accuracy: {percent(best.test_accuracy)}, after epoch {best.epoch}."
    lines = [*_table(titles, rows), "", summary]
    if stride > 1:
        lines.append(f"Every {stride}th epoch is shown, and the first and the last.")
    return lines


def _warnings(session: Session) -> Iterator[str]:
    said = [line for line in session.log if line.level != "info"]
    lines = [f"- {line.level}: {_text(line.text)}" for line in said[:MOST_WARNINGS]]
    if len(said) > MOST_WARNINGS:
        lines.append(f"- and {len(said) - MOST_WARNINGS} more in the journal")
    lines += [f"- {_text(note)}" for note in session.host.notes]
    if session.unreadable:
        lines.append(f"- {session.unreadable} lines of the journal could not be read and are missing here")
    yield from _section("Said on the way", lines)


def _rows(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    return _section(title, _table(titles, rows, left=set(titles)) if rows else [])


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    """A section, or nothing at all where there is nothing to say."""
    if lines:
        yield from (f"## {title}", "", *lines, "")


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], left: Iterable[str] = ()) -> list[str]:
    """A table whose source is aligned as well; none without rows."""
    texts = [[_cell(text) for text in row] for row in rows]
    if not texts:
        return []
    widths = [max(3, *map(len, column)) for column in zip(titles, *texts, strict=True)]
    at_left = [title in left for title in titles]
    lines = [titles, list(map(_rule, widths, at_left)), *texts]
    return ["| " + " | ".join(map(_aligned, line, widths, at_left)) + " |" for line in lines]


def _rule(width: int, is_left: bool) -> str:
    dashes = "-" * (width - 1)
    return f":{dashes}" if is_left else f"{dashes}:"


def _aligned(text: str, width: int, is_left: bool) -> str:
    return text.ljust(width) if is_left else text.rjust(width)


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def _text(text: str) -> str:
    """One line: what a program said must not break the page."""
    return " ".join(text.split()).replace("<", "&lt;")


def _interval(interval: tuple[float, float] | None, shown: Callable[[float], str]) -> str:
    return "" if interval is None else f"{shown(interval[0])} to {shown(interval[1])}"


def _loss(loss: float | None) -> str:
    return "not finite" if loss is None else f"{loss:.4f}"
