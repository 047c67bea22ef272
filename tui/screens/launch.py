"""The launch screen: pick a preset, see what it does on this machine, start it.

It paints before anything of the engine is imported; the presets and the machine are looked at in a thread.
"""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ..routes import Watch
from ..widgets.footer import Footer
from ..widgets.panel import Panel
from .sight import in_sight

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from ...engine.host.facts import CpuSample, Gpu, GpuSample
    from ...engine.record.shelf import SessionFolder
    from ..prepare import Offer, Prepared

SAMPLE_SECONDS = 1.0


class Options(NamedTuple):
    """What the user said on the command line."""

    gpus: Sequence[int] | None = None
    """Indices of the GPUs to use; None for all."""
    overrides: Sequence[str] = ()
    """`key=value`, for any preset."""


class PresetList(OptionList):
    """The presets; Enter starts one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Start", id="launch.start", tooltip="Run the preset chosen")
    ]


class LaunchScreen(Screen[None]):
    """Presets at the left, the plan of the chosen one beside them, the devices below."""

    CSS_PATH = "launch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "attach", "Attach", id="launch.attach", tooltip="Watch the session that is running"),
    ]

    class Found(Message):
        """The thread that looks around knows more."""

        def __init__(self, prepared: Prepared) -> None:
            super().__init__()
            self.prepared = prepared

    class Sampled(Message):
        """A sample of the devices."""

        def __init__(self, gpus: list[GpuSample], cpu: CpuSample, notes: list[str]) -> None:
            super().__init__()
            self.gpus, self.cpu, self.notes = gpus, cpu, notes

    class Started(Message):
        """A session's process has been started."""

        def __init__(self, folder: SessionFolder, process: subprocess.Popen[bytes]) -> None:
            super().__init__()
            self.folder, self.process = folder, process

    class Problem(Message):
        """Something could not be done; one sentence."""

        def __init__(self, sentence: str) -> None:
            super().__init__()
            self.sentence = sentence

    def __init__(self, root: Path | None, options: Options) -> None:
        super().__init__()
        self._root = root
        self._options = options
        self._prepared: Prepared | None = None
        self._newest: LaunchScreen.Sampled | None = None
        self._starting = False
        self._with_questions = False
        self._problem = ""
        self._leave = threading.Event()

    def compose(self) -> ComposeResult:
        """Nothing here waits for anything."""
        yield Static("gpubench-tui", id="machine", classes="headline", markup=False)
        with Horizontal(id="middle"):
            presets = PresetList(*_shipped(), id="presets")
            presets.border_title = "Presets"
            yield presets
            yield Panel("Plan for this machine", id="plan")
        yield Panel("Devices", id="devices", classes="exact")
        yield Footer()

    def on_mount(self) -> None:
        """Look around once the first frame is out."""
        self.query_one("#plan", Panel).show(
            Content.styled("looking at the presets and this machine", "$muted")
        )
        self.query_one("#devices", Panel).show(Content.styled("looking", "$muted"))
        self.query_one(PresetList).focus()

    def on_screen_resume(self) -> None:
        """Shown for the first time, or again: the machine and the sessions on it may have changed."""
        self._starting, self._problem = False, ""
        self._leave = threading.Event()
        self.call_after_refresh(self._look_around, self._leave)

    def on_screen_suspend(self) -> None:
        """Nobody looks at the devices now."""
        self._leave.set()

    def on_unmount(self) -> None:
        """Let the thread go."""
        self._leave.set()

    def on_resize(self) -> None:
        """The plan and the devices are drawn to their panels' sizes."""
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        if self._prepared is not None and in_sight(self):
            offers = self._prepared.offers
            room = self.query_one(PresetList).scrollable_content_region.size
            if _fit_with_questions(offers, room) != self._with_questions:
                self._list_presets(offers)
        self._redraw()

    @work(thread=True, exclusive=True, group="look", exit_on_error=False)
    def _look_around(self, leave: threading.Event) -> None:
        from ..prepare import Prepared, prepare

        prepared = Prepared()
        for prepared in prepare(self._root, self._options.gpus, self._options.overrides):
            if leave.is_set():
                return
            self.post_message(self.Found(prepared))
        if prepared.host is not None:
            self._sample(prepared.host.gpus, leave)

    def _sample(self, gpus: Sequence[Gpu], leave: threading.Event) -> None:
        from ...engine.host.telemetry import Sampler

        sampler = Sampler(gpus, tuple)
        try:
            while not leave.wait(SAMPLE_SECONDS if self._newest else 0.2):
                samples, cpu = sampler.sample()
                self.post_message(self.Sampled(samples, cpu, sampler.take_notes()))
        finally:
            sampler.close()

    @on(Found)
    def _found(self, message: Found) -> None:
        self._prepared = message.prepared
        self._list_presets(message.prepared.offers)
        self.refresh_bindings()
        self._redraw()

    def _list_presets(self, offers: Sequence[Offer]) -> None:
        presets = self.query_one(PresetList)
        self._with_questions = _fit_with_questions(offers, presets.scrollable_content_region.size)
        chosen = presets.highlighted or 0
        presets.clear_options()
        presets.add_options(_option(offer, self._with_questions) for offer in offers)
        presets.highlighted = min(chosen, len(offers) - 1)

    @on(Sampled)
    def _sampled(self, message: Sampled) -> None:
        self._newest = message
        for note in message.notes:
            self.notify(note, severity="warning")
        self._draw_devices()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        self._problem = ""
        self._draw_plan()

    def _redraw(self) -> None:
        if in_sight(self):
            self._draw_machine()
            self._draw_plan()
            self._draw_devices()

    def _draw_machine(self) -> None:
        if self._prepared is None:
            return
        from ..widgets.offer import machine_line

        self.query_one("#machine", Static).update(machine_line(self._prepared))

    def _draw_plan(self) -> None:
        if self._prepared is None:
            return
        from ..widgets.offer import offer_text

        panel = self.query_one("#plan", Panel)
        panel.show(offer_text(self._prepared, self._chosen(), self._options.overrides, self._problem))
        panel.scroll_home(animate=False)

    def _draw_devices(self) -> None:
        newest, panel = self._newest, self.query_one("#devices", Panel)
        if newest is None or not in_sight(self):
            return
        from ..widgets.cpu_strip import cpu_strip, cpu_summary
        from ..widgets.gpu_strip import gpu_strips

        if newest.gpus:
            panel.entitle("GPUs", cpu_summary(newest.cpu))
            panel.show(gpu_strips(newest.gpus, panel.columns, max(4, self.size.height // 4)))
        else:
            panel.entitle("CPU, no GPUs")
            panel.show(cpu_strip(newest.cpu, panel.columns))

    def _chosen(self) -> Offer | None:
        highlighted = self.query_one(PresetList).highlighted
        if self._prepared is None or highlighted is None or highlighted >= len(self._prepared.offers):
            return None
        return self._prepared.offers[highlighted]

    @on(OptionList.OptionSelected)
    def _start(self) -> None:
        offer = self._chosen()
        if offer is None or offer.plan is None or self._starting:
            self.app.bell()
            return
        if not offer.plan.to_run:
            self._fail("Every run of this preset is skipped on this machine: there is nothing to start.")
            return
        self._starting = True
        self._start_session(offer)

    @work(thread=True, exit_on_error=False)
    def _start_session(self, offer: Offer) -> None:
        from ..prepare import start

        if (
            self._prepared is None
            or self._prepared.host is None
            or offer.plan is None
            or offer.preset is None
        ):
            return
        try:
            folder, process = start(self._root, offer.plan, self._prepared.host, offer.preset)
        except OSError as error:
            self.post_message(self.Problem(f"The session cannot be started: {error}."))
        else:
            self.post_message(self.Started(folder, process))

    @on(Started)
    def _started(self, message: Started) -> None:
        self.post_message(Watch(message.folder, message.process))

    @on(Problem)
    def _failed(self, message: Problem) -> None:
        self._starting = False
        self._fail(message.sentence)

    def _fail(self, sentence: str) -> None:
        self._problem = sentence
        self._draw_plan()

    def action_attach(self) -> None:
        """Watch the session that runs already."""
        if self._prepared is not None and self._prepared.running is not None:
            self.post_message(Watch(self._prepared.running))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """There may be nothing to attach to."""
        return action != "attach" or (self._prepared is not None and self._prepared.running is not None)


def _shipped() -> list[str]:
    """Names of the presets that come with the program, for the first frame, before any was read."""
    package = importlib.util.find_spec("gpubench_tui.presets")
    folders = package.submodule_search_locations or () if package is not None else ()
    names = {path.stem for folder in folders for path in Path(folder).glob("*.toml")}
    return sorted(names, key=lambda name: (name != "quickstart", name))


def _fit_with_questions(offers: Sequence[Offer], room: Size) -> bool:
    """Whether all presets are visible at once with their questions; the plan beside them has it anyway."""
    width = max(1, room.width)
    texts = [text for offer in offers if offer.preset for text in (offer.preset.title, offer.preset.question)]
    return sum(1 + len(text) // width for text in texts) <= room.height


def _option(offer: Offer, with_question: bool) -> Option:
    if offer.preset is None:
        return Option(
            Content.assemble(offer.file.name, ("\ncannot be used", "$text-error")), id=offer.file.name
        )
    parts: list[str | tuple[str, str]] = [(offer.preset.title, "bold")]
    if offer.file.own:
        parts.append(("  yours", "$muted"))
    if with_question:
        parts.append((f"\n{offer.preset.question}", "$muted"))
    return Option(Content.assemble(*parts), id=offer.file.name)
