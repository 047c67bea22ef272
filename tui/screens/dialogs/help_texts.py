"""What each screen and each panel of it shows, and how to read it: the first thing that help says."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen

ABOUT = {
    "launch": "Choose presets, see what they would run on this machine, start them with Enter: one after the "
    "other, whether or not this app stays open.",
    "launch.presets": "The presets under the question they answer. Space selects several; a number says in "
    "which order they run. What you put beside them is marked as yours; what cannot be used says why at the "
    "right.",
    "launch.filter": "Only presets with all these words in their name, title, question or models are listed.",
    "launch.plan": "What the chosen preset does here: its runs in their order, which of them this machine "
    "must skip and why, how long it takes by estimate, and what will limit or disturb it.",
    "launch.devices": "The devices at this moment: what runs already takes part in every figure.",
    "editor": "What people change of a preset. Each field takes what the preset file takes; what is wrong is "
    "said beside it. Escape leaves the field: then w saves, Enter runs, Escape goes back.",
    "editor.plan": "What would run here as the fields are now, and about how long it takes.",
    "monitor": "A session as it runs, or as it ended. It is a process of its own: leave this, close the "
    "terminal, and it goes on. Tab goes from panel to panel; then ? explains that panel.",
    "replay": "A recorded session as if it were live. Space holds it, the arrows seek in it; nothing here "
    "changes it. Tab goes from panel to panel; then ? explains that panel.",
    "monitor.plan": "The runs of the plan in their order. ▶ runs now, ✓ was measured, · waits, – is skipped "
    "by rule, ✗ failed, ■ was stopped. At the right the throughput and how many times that of its baseline "
    "it is, the phase or the reason.",
    "monitor.now": "What the measurement does now: warming up until the step time has settled, then windows "
    "until half the 95% interval of their median is within the preset's target, or the time is up; then a "
    "closer look at where a step goes. The bar beside the interval is the share of the windows that it will "
    "need if they go on as they are. The time left is an estimate.",
    "monitor.throughput": "Samples a second of all ranks together, live. Each point is a window; the "
    "horizontal line is their median: that is what the results give. A second line is the run that this one "
    "is held against. [ and ] choose the stretch of time.",
    "monitor.loss": "Training loss of rank 0 over its steps; where epochs are tested, the test loss as well.",
    "monitor.ranks": "A bar for each rank: the seconds of its steps, less the waiting for others once that "
    "was measured. It is shown where one rank takes so much longer that the others wait for it.",
    "monitor.devices": "For each GPU: how busy, memory, temperature, power and its limit, clock and its "
    "limit, and what holds the clock down; above them which are throttled, and why. Without GPUs each core "
    "of the session. n/a: the device does not tell.",
    "monitor.log": "What the session said; l shows what each rank prints. The whole files are in the folder "
    "logs of the session.",
    "results": "What was measured, and what explains or spoils it. Tab, j and k go from section to section.",
    "results.diagnoses": "What explains or spoils the figures, gravest first: severe, warning, info. Enter "
    "shows the evidence of one, and what to try.",
    "results.table": "A line for each run: median over windows ± 1.4826 x their median absolute deviation. "
    "Speedup is against the baseline, with its 95% interval; where two runs cannot be compared it says why. "
    "s sorts by the next column, S the other way, and so does a click on a title; c copies all columns.",
    "results.speedup": "A bar for each run, as long as its speedup; │ marks the ideal: as many times the "
    "baseline as it has devices. Efficiency is how much of the way it got. A gain of trainings side by "
    "side has its own bars.",
    "results.curves": "Where a preset trains by epochs, test accuracy and loss after each; letters tell the "
    "runs apart. Below, a strip for each run: its windows in their order, above or below the run's median.",
    "results.phases": "Where the time of a step goes, measured in steps of their own after the windows. The "
    "letters in a bar are explained below it.",
    "results.communication": "What synchronising gradients costs: a step against one that leaves it out. "
    "Below the noise: the interval contains zero, so it may be nothing.",
    "results.devices": "Arithmetic of the model over what the device was measured to do (MFU), and energy.",
    "results.published": "What others published for the same experiment, on their hardware.",
    "results.method": "How each figure was obtained, and which are derived or predicted.",
    "sessions": "Every session, past and running, newest first. Enter opens one; / finds by words; Space "
    "selects several to compare or delete.",
    "sessions.sessions": "A line for each session: what became of it, how many of its runs were measured, "
    "and its best result in a sentence. Running: it goes on; interrupted: its process went without a last "
    "word, and what was measured until then counts.",
    "sessions.find": "Each of these words must stand in a session's name, preset, title, host, state or "
    "result.",
    "sessions.detail": "The session that is highlighted: its result, its preset, where it was measured, and "
    "the folder that holds its journal and logs.",
    "compare": "Each session held against A, run by run: matched by mode, devices, workload and batch.",
    "compare.page": "The ratio is theirs over A's. Better or worse: its 95% interval is on one side of 1. "
    "Below the table what else differs, which may be the reason.",
}
"""By `screen` and `screen.panel`."""
PANELS_OF = {"replay": "monitor"}
"""A screen with the panels of another one."""


def about(screen: Screen[Any]) -> tuple[str, str]:
    """The title and the explanation of the focused panel, or else of the screen; empty if there are none."""
    name = screen_name(screen)
    focused = screen.focused
    for node in focused.ancestors_with_self if focused is not None else ():
        text = ABOUT.get(f"{PANELS_OF.get(name, name)}.{node.id}")
        if text is not None:
            return str(node.id).capitalize(), text
    return "This screen", ABOUT.get(name, "")


def screen_name(screen: Screen[Any]) -> str:
    """`monitor` for the MonitorScreen."""
    return type(screen).__name__.removesuffix("Screen").lower()
