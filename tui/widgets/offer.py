"""A preset as it is offered on this machine, and the machine itself, as text."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from ...engine.analysis.environment import devices
from ...engine.host.facts import Host
from ...engine.plan.estimate import estimate
from ...engine.plan.plan import Plan
from ...engine.plan.preset import Measure, Preset
from ...engine.plan.read import workloads
from ..prepare import Offer, Prepared
from .plan_list import planned_runs


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


def offer_text(prepared: Prepared, offer: Offer | None, overrides: Sequence[str], problem: str) -> Content:
    """What the preset does here: its question, its runs with those skipped, and how long it may take."""
    if offer is None:
        return Content.styled("no preset chosen", "$muted")
    parts: list[Content] = []
    if said := problem or prepared.problem or offer.problem:
        parts.append(Content.styled(said, "$text-error"))
    if offer.preset is not None:
        parts.append(_description(offer.file.name, offer.preset))
    if offer.plan is not None:
        parts.append(_plan(offer.plan))
    elif prepared.host is None and not said:
        parts.append(Content.styled("looking at this machine", "$muted"))
    if overrides:
        parts.append(Content.styled("\n".join(f"--set {override}" for override in overrides), "$text-accent"))
    if offer.plan is not None:
        parts += _warnings(prepared)
    return Content("\n\n").join(parts)


def _description(name: str, preset: Preset) -> Content:
    description = " ".join(preset.description.split())
    lines = [Content.assemble((name, "bold $text-accent"), f"  {preset.question}")]
    lines += [Content(description)] if description else []
    lines.append(Content.styled(_measures(preset), "$muted"))
    return Content("\n").join(lines)


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


def _plan(plan: Plan) -> Content:
    count = len(plan.to_run)
    first = Content.assemble(
        (f"{count} {'run' if count == 1 else 'runs'}", "bold"),
        f" on {devices(plan)}, ",
        (str(estimate(plan)), "bold"),
    )
    return Content("\n").join([first, planned_runs(plan)])


def _warnings(prepared: Prepared) -> list[Content]:
    lines = []
    if prepared.running is not None:
        lines.append(
            Content.styled(
                f"{prepared.running.name} is running and would disturb this: a attaches to it.",
                "$text-warning",
            )
        )
    styles = {"error": "$text-error", "warning": "$text-warning"}
    for finding in prepared.findings:
        if finding.level in styles:
            remedy = f" ({finding.remedy})" if finding.remedy else ""
            lines.append(Content.styled(f"{finding.text}{remedy}", styles[finding.level]))
    return [Content("\n").join(lines)] if lines else []
