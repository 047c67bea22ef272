"""A preset with its plan for this machine, and the machine itself, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace
from textual.content import Content

from ...engine.analysis.environment import VENDOR, devices
from ...engine.analysis.trained import REDUCED_FORM, preset_training
from ...engine.host.facts import Host
from ...engine.host.findings import Finding
from ...engine.plan.estimate import estimate, total
from ...engine.plan.needs import Need
from ...engine.plan.plan import Plan
from ...engine.plan.preset.overrides import as_typed
from ...engine.plan.preset.preset import Measure, Preset
from ...engine.text.grouping import index_ranges
from ...engine.text.plain import unbroken
from ...engine.text.units import count
from ..data.planned_presets import Inspection, PlannedPreset
from ..data.session_watch import SessionProgress
from .drawing.grid import cut_line
from .monitor.plan import planned_runs


def machine_line(inspection: Inspection, width: int) -> Content:
    """Return the machine's name, hardware and torch version in a line, or why nothing can be run on it."""
    if inspection.problem:
        return Content.styled(inspection.problem, "$text-error")
    if inspection.host is None:
        return Content("gpubench-tui")
    host = inspection.host
    everything = len((inspection.machine or host).gpus)
    lines = [
        Content.assemble(("gpubench-tui", "bold"), f"  {host.name}  ", (text, "$muted"))
        for text in _hardware(host, everything)
    ]
    return next((line for line in lines if line.cell_length <= width), lines[-1])


def running_line(name: str, progress: SessionProgress | None) -> Content:
    """Return a line on the session that is running, and how to return to it."""
    return Content.assemble(f"▶ {progress or f'{name} is running'}", ("; a returns to it", "$muted"))


def _hardware(host: Host, everything: int) -> Iterator[str]:
    """Yield the hardware of a host, then shorter; of that many GPUs of the machine it may have some only."""
    names = [gpu.name for gpu in host.gpus]
    gpus = [f"{names.count(name)} x {name}" for name in dict.fromkeys(names)]
    indices = index_ranges([gpu.index for gpu in host.gpus])
    chosen = f" (GPU {indices} of {everything})" if gpus and len(names) < everything else ""
    torch = f"torch {host.software.torch}" if host.software.torch else "torch is not installed"
    cpus = f"{len(host.cpu.cores)} CPUs" if gpus else f"{len(host.cpu.cores)} x {host.cpu.model}"
    listed = ", ".join(gpus) + chosen
    yield ", ".join(filter(None, (listed, cpus, torch)))
    short = listed.replace(VENDOR, "")
    yield ", ".join(filter(None, (short, cpus, torch)))
    yield ", ".join(filter(None, (short, torch)))
    yield ", ".join(filter(None, (chosen.strip(" ()") or f"{len(names)} GPUs" * bool(names), torch)))


def preset_text(
    inspection: Inspection,
    planned: PlannedPreset | None,
    overrides: Sequence[str],
    problem: str,
    width: int,
    opened: bool,
) -> Content:
    """Return the preset's question, runs, warnings and description as planned for this machine.

    `problem`: one sentence to show first, empty if there is none; `opened`: give warnings in full, not a line
    each.
    """
    parts: list[Content] = []
    if error := problem or inspection.problem or (planned.problem if planned is not None else ""):
        parts.append(Content.styled(error, "$text-error"))
    if planned is None:
        return Content("\n\n").join([*parts, Content.styled("no preset selected", "$muted")])
    found = [each for each in _findings_on(inspection, planned) if error not in (each.text, each.sentence)]
    warnings = [each for each in found if each.level != "info"]
    first = [_question(planned)] if planned.preset is not None else []
    if planned.plan is not None:
        first.append(_summary(planned.plan, len(warnings)))
    elif inspection.host is None and not error:
        first.append(Content.styled("inspecting this machine", "$muted"))
    parts.append(Content("\n").join(first))
    if planned.plan is not None:
        parts.append(planned_runs(planned.plan, width))
    parts += _warning_lines(warnings, width, opened)
    if overrides:
        parts.append(Content.styled("\n".join(map(as_typed, overrides)), "$text-accent"))
    if planned.preset is not None:
        parts.append(_description(planned.preset))
    parts += finding_lines(each for each in found if each.level == "info")
    return Content("\n\n").join(part for part in parts if part)


def _findings_on(inspection: Inspection, planned: PlannedPreset) -> list[Finding]:
    """Return what concerns a preset here, each sentence once; of this machine the warnings alone."""
    of_machine = [each for each in inspection.findings if each.level != "info"]
    found = [*_disturbing(inspection), *planned.needs, *of_machine] if planned.plan is not None else []
    if planned.file.instead_of:
        found.append(Finding("warning", planned.file.stands_in))
    texts = {each.text for each in found}
    found = [replace(each, remedy="") if each.remedy in texts else each for each in found]
    return list({each.sentence: each for each in found}.values())


def _warning_lines(warnings: Sequence[Finding], width: int, opened: bool) -> list[Content]:
    """Return the warnings in one paragraph; closed, each is cut to a line and a last one says how to open."""
    full = finding_lines(warnings, key="e")
    if opened or not full:
        return full
    lines = full[0].split("\n")
    cut = [cut_line(line, width) for line in lines]
    if any(line.cell_length > width for line in lines):
        cut.append(Content.styled(f"w opens {'them' if len(lines) > 1 else 'it'}", "$muted"))
    return [Content("\n").join(cut)]


def selection_line(presets: Sequence[PlannedPreset]) -> Content:
    """Return the selected presets in their order, and the time they take together by estimate."""
    expected = total(estimate(planned.plan) for planned in presets if planned.plan is not None)
    return Content.assemble(
        (f"{len(presets)} selected", "bold"),
        f", {expected}: {' then '.join(planned.file.name for planned in presets)}",
    )


def _question(planned: PlannedPreset) -> Content:
    question = planned.preset.question if planned.preset is not None else ""
    return Content.assemble((planned.file.name, "bold $text-accent"), f"  {question}")


def _description(preset: Preset) -> Content:
    description = " ".join(preset.description.split())
    lines = [Content(description)] if description else []
    lines.append(Content.styled(_measures(preset), "$muted"))
    return Content("\n").join(lines)


def _measures(preset: Preset) -> str:
    """Return workload and measurement in one line."""
    return f"{preset_training(preset)}; {_length(preset.measure)}"


def _length(measure: Measure) -> str:
    if measure.epochs:
        return f"{measure.epochs} epochs" if measure.epochs > 1 else "1 epoch"
    if measure.target:
        return f"until ±{measure.target * 100:g}% or {measure.seconds:g} s per run"
    return f"{measure.seconds:g} s per run"


def plan_text(plan: Plan, width: int) -> Content:
    """Return the number of runs, their estimated time, the runs, and those skipped."""
    return Content("\n").join([_summary(plan), planned_runs(plan, width)])


def _summary(plan: Plan, warnings: int = 0) -> Content:
    runs, here = len(plan.runs), len(plan.to_run)
    skipped = f" ({runs - here} of {runs} skipped)" if here < runs else ""
    return Content.assemble(
        (count(here, "run"), "bold"),
        f"{skipped} on {devices(plan)}, ",
        (str(estimate(plan)), "bold"),
        (f", {count(warnings, 'warning')}" if warnings else "", "$text-warning"),
        (f"\n{REDUCED_FORM}" if plan.reduced else "", "$text-accent"),
    )


GPUS_OPTION, GPUS_KEY = "with --gpus", "with g"
FINDING_SIGNS = {"error": ("✗ ", "$text-error"), "warning": ("! ", "$text-warning"), "info": ("", "$muted")}


def finding_lines(found: Iterable[Finding], key: str = "") -> list[Content]:
    """Return the findings, most severe first, in one paragraph; none if there are none.

    `key`: the key that opens the editor, named where an edit would help, and the key for the GPUs in place
    of the option; empty to name none.
    """
    lines = []
    for each in sorted(found, key=lambda each: list(FINDING_SIGNS).index(each.level)):
        sign, style = FINDING_SIGNS[each.level]
        edit = f"; {key} changes {each.key}" if key and isinstance(each, Need) and each.key else ""
        remedy = each.remedy.replace(GPUS_OPTION, GPUS_KEY) if key else each.remedy
        remedy = f" ({remedy}{edit})" if remedy else ""
        # A text of several lines would be taken for several findings.
        lines.append(Content.styled(unbroken(f"{sign}{each.text}{remedy}"), style))
    return [Content("\n").join(lines)] if lines else []


def _disturbing(inspection: Inspection) -> Iterator[Finding]:
    """Yield a warning about the sessions that would disturb one that is started now."""
    if not inspection.unfinished:
        return
    names = [folder.name for folder in inspection.unfinished]
    running = inspection.running.name if inspection.running is not None else names[-1]
    more = f" ({len(names) - 1} more running or queued)" if len(names) > 1 else ""
    yield Finding(
        "warning",
        f"{running} is running{more} and would disturb this session",
        "a attaches to it; Enter offers to queue behind it",
    )
