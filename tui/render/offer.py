"""A preset as it is offered on this machine, and the machine itself, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from textual.content import Content

from ...engine.analysis.environment import devices
from ...engine.host.facts import Host
from ...engine.host.findings import Finding
from ...engine.plan.estimate import estimate, together
from ...engine.plan.needs import Need
from ...engine.plan.plan import Plan
from ...engine.plan.preset import Measure, Preset
from ...engine.plan.read import workloads
from ...engine.text.units import count
from ..data.offers import Offer, Prepared
from .plan import planned_runs


def machine_line(prepared: Prepared) -> Content:
    """The machine and what torch can do on it, or why nothing can be done."""
    if prepared.problem:
        return Content.styled(prepared.problem, "$text-error")
    if prepared.host is None:
        return Content("gpubench-tui")
    host = prepared.host
    return Content.assemble(("gpubench-tui", "bold"), f"  {host.name}  ", (_hardware(host), "$muted"))


def _hardware(host: Host) -> str:
    names = [gpu.name for gpu in host.gpus]
    gpus = [f"{names.count(name)} x {name}" for name in dict.fromkeys(names)]
    torch = f"torch {host.software.torch}" if host.software.torch else "torch is not installed"
    return ", ".join(
        [*gpus, f"{len(host.cpu.cores)} CPUs" if gpus else f"{len(host.cpu.cores)} x {host.cpu.model}", torch]
    )


def offer_text(
    prepared: Prepared, offer: Offer | None, overrides: Sequence[str], problem: str, width: int
) -> Content:
    """What the preset does here: its question, its runs with those skipped, and how long it may take."""
    parts: list[Content] = []
    if said := problem or prepared.problem or (offer.problem if offer is not None else ""):
        parts.append(Content.styled(said, "$text-error"))
    if offer is None:
        return Content("\n\n").join([*parts, Content.styled("no preset chosen", "$muted")])
    found = [*_going(prepared), *offer.needs, *prepared.findings] if offer.plan is not None else []
    first = [_question(offer)] if offer.preset is not None else []
    if offer.plan is not None:
        first.append(_summary(offer.plan))
    elif prepared.host is None and not said:
        first.append(Content.styled("looking at this machine", "$muted"))
    parts.append(Content("\n").join(first))
    parts += remarks((each for each in found if each.level != "info"), key="e")
    if offer.plan is not None:
        parts.append(planned_runs(offer.plan, width))
    if overrides:
        parts.append(Content.styled("\n".join(f"--set {override}" for override in overrides), "$text-accent"))
    if offer.preset is not None:
        parts.append(_description(offer.preset))
    parts += remarks(each for each in offer.needs if each.level == "info")
    return Content("\n\n").join(part for part in parts if part)


def selection_line(offers: Sequence[Offer]) -> Content:
    """What is selected and how long all of it may take."""
    expected = together(estimate(offer.plan) for offer in offers if offer.plan is not None)
    return Content.assemble(
        (f"{len(offers)} selected", "bold"),
        f", {expected}: {' then '.join(offer.file.name for offer in offers)}",
    )


def _question(offer: Offer) -> Content:
    question = offer.preset.question if offer.preset is not None else ""
    return Content.assemble((offer.file.name, "bold $text-accent"), f"  {question}")


def _description(preset: Preset) -> Content:
    description = " ".join(preset.description.split())
    lines = [Content(description)] if description else []
    return Content("\n").join([*lines, Content.styled(_measures(preset), "$muted")])


def _measures(preset: Preset) -> str:
    """Workload and measurement in a line."""
    first = next(iter(workloads(preset).values()))
    names = ", ".join(dict.fromkeys(workload.model for workload in workloads(preset).values()))
    return f"{names} on {first.data} images, {first.precision}, {first.optimizer}; {_length(preset.measure)}"


def _length(measure: Measure) -> str:
    if measure.epochs:
        return f"{measure.epochs} epochs" if measure.epochs > 1 else "1 epoch"
    if measure.target:
        return f"to ±{measure.target * 100:g}% or {measure.seconds:g} s a run"
    return f"{measure.seconds:g} s a run"


def plan_text(plan: Plan, width: int) -> Content:
    """How many runs, how long they may take, and which; then those skipped."""
    return Content("\n").join([_summary(plan), planned_runs(plan, width)])


def _summary(plan: Plan) -> Content:
    runs, here = len(plan.runs), len(plan.to_run)
    skipped = f" ({runs - here} of {runs} skipped)" if here < runs else ""
    return Content.assemble(
        (count(here, "run"), "bold"),
        f"{skipped} on {devices(plan)}, ",
        (str(estimate(plan)), "bold"),
    )


SIGNS = {"error": ("✗ ", "$text-error"), "warning": ("! ", "$text-warning"), "info": ("", "$muted")}


def remarks(found: Iterable[Finding], key: str = "") -> list[Content]:
    """Each finding in a paragraph, gravest first; `key` opens the editor, where that would help."""
    lines = []
    for each in sorted(found, key=lambda each: list(SIGNS).index(each.level)):
        sign, style = SIGNS[each.level]
        edit = f"; {key} changes {each.key}" if key and isinstance(each, Need) and each.key else ""
        remedy = f" ({each.remedy}{edit})" if each.remedy else ""
        lines.append(Content.styled(f"{sign}{each.text}{remedy}", style))
    return [Content("\n").join(lines)] if lines else []


def _going(prepared: Prepared) -> Iterator[Finding]:
    """Sessions that would disturb one that is started now."""
    if not prepared.going:
        return
    names = [folder.name for folder in prepared.going]
    running = prepared.running.name if prepared.running is not None else names[-1]
    more = f" ({len(names) - 1} more run or wait)" if len(names) > 1 else ""
    yield Finding(
        "warning",
        f"{running} is running{more} and would disturb this",
        "a attaches to it; Enter asks whether to wait for it",
    )
