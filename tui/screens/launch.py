"""The launch screen: pick presets, see what they do on this machine, start them.

It paints before anything of the engine is imported; the presets and the machine are looked at in a thread.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static

from ..data.launch_feed import DevicesSampled, LaunchOptions, MachineInspected, shipped_names, watch_machine
from ..requests import ShowMonitor
from ..widgets.footer import Footer
from ..widgets.panel import Panel
from ..widgets.preset_list import PresetList
from .base import is_visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.widgets import Input

    from ...engine.host.facts import Host
    from ..data.planned_presets import Inspection, PlannedPreset


class LaunchScreen(Screen[None]):
    """Presets at the left, the plan of the one under the cursor beside them, the devices below."""

    CSS_PATH = "launch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        # As in the list, for the panels.
        Binding("enter", "start", "Start", id="launch.start", tooltip="Run what is selected"),
        Binding(
            "slash", "filter", "Filter", id="launch.filter", tooltip="Find presets by what they are about"
        ),
        Binding(
            "e",
            "edit",
            "Edit",
            id="launch.edit",
            tooltip="Change devices, batch, precision, data, duration ...",
        ),
        Binding("a", "attach", "Attach", id="launch.attach", tooltip="Watch the session that is running"),
        Binding("escape", "clear_filter", "Show all", id="launch.show_all", tooltip="Show all presets again"),
    ]

    def __init__(self, root: Path | None, options: LaunchOptions) -> None:
        super().__init__()
        self._root = root
        self._options = options
        self._inspection: Inspection | None = None
        self._newest: DevicesSampled | None = None
        self._starting = False
        self._started = False
        """Whether the monitor of what was started is still to come."""
        self._filter = ""
        self._chosen: tuple[str | None, ...] = ()
        self._problem = ""
        self._leave = threading.Event()

    def compose(self) -> ComposeResult:
        """Nothing here waits for anything."""
        yield Static("gpubench-tui", id="machine", classes="headline", markup=False)
        with Horizontal(id="middle"):
            presets = PresetList(shipped_names(), id="presets")
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
        self._list.focus()

    def on_screen_resume(self) -> None:
        """Shown for the first time, or again: the machine and the sessions on it may have changed."""
        self._problem = ""
        self._started = False
        self._leave.set()
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
        self.call_after_refresh(self._redraw)

    @property
    def _list(self) -> PresetList:
        return self.query_one(PresetList)

    # Looking around

    @work(thread=True, exclusive=True, group="look", exit_on_error=False)
    def _look_around(self, leave: threading.Event) -> None:
        watch_machine(self._root, self._options, leave, self.post_message)

    @on(MachineInspected)
    def _found(self, message: MachineInspected) -> None:
        known, found = self._inspection, message.inspection
        if known is not None and known.host is not None and found.host is None and not found.problem:
            return  # looking again, it knows less at first
        self._inspection = found
        self._show_presets()
        self.refresh_bindings()
        self._redraw()

    @on(DevicesSampled)
    def _sampled(self, message: DevicesSampled) -> None:
        self._newest = message
        for note in message.notes:
            self.notify(note, severity="warning")
        self._draw_devices()

    # Drawing

    @on(OptionList.OptionHighlighted)
    @on(PresetList.SelectionChanged)
    def _moved(self) -> None:
        # Listing the presets anew puts the cursor where it was.
        chosen = (self._list.current, *self._list.selected)
        if chosen != self._chosen:
            self._chosen, self._problem = chosen, ""
            self.query_one("#plan", Panel).scroll_home(animate=False)
        self._draw_plan()

    def _redraw(self) -> None:
        if is_visible(self):
            self._draw_machine()
            self._draw_plan()
            self._draw_devices()

    def _draw_machine(self) -> None:
        if self._inspection is None:
            return
        from ..render.planned_preset import machine_line

        self.query_one("#machine", Static).update(machine_line(self._inspection))

    def _draw_plan(self) -> None:
        if self._inspection is None:
            return
        from ..render.planned_preset import preset_text, selection_line

        panel = self.query_one("#plan", Panel)
        overrides, selected = self._options.overrides, self._presets(self._list.selected)
        text = preset_text(self._inspection, self._current(), overrides, self._problem, panel.columns)
        if selected:
            text = Content("\n\n").join([selection_line(selected), text])
        panel.show(text)

    def _draw_devices(self) -> None:
        newest, panel = self._newest, self.query_one("#devices", Panel)
        if newest is None or not is_visible(self):
            return
        from ..render.cpu_strip import cpu_strip, cpu_summary
        from ..render.gpu_strip import gpu_strips

        if newest.gpus:
            panel.entitle("GPUs", cpu_summary(newest.cpu))
            panel.show(gpu_strips(newest.gpus, panel.columns, max(4, self.size.height // 4)))
        else:
            panel.entitle("CPU, no GPUs")
            panel.show(cpu_strip(newest.cpu, panel.columns))

    # The presets

    def _presets(self, names: Sequence[str]) -> list[PlannedPreset]:
        known = {one.file.name: one for one in self._inspection.presets} if self._inspection else {}
        return [known[name] for name in names if name in known]

    def _current(self) -> PlannedPreset | None:
        name = self._list.current
        return next(iter(self._presets([name] if name else [])), None)

    def _show_presets(self) -> None:
        if self._inspection is not None:
            self._list.show(self._inspection.presets, self._filter)
            self._draw_plan()

    async def action_filter(self) -> None:
        """Type what the presets must be about."""
        from ..widgets.preset_list import FilterField

        if not self.query("#filter"):
            await self.mount(FilterField(id="filter"), before="#middle")
        self.query_one("#filter").focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        """The filter narrows the list with each letter."""
        self._filter = message.value
        self._show_presets()

    def action_leave_filter(self) -> None:
        """Go on from the filter to the presets it left."""
        self._list.focus()

    async def action_clear_filter(self) -> None:
        """Show all presets again."""
        self._list.focus()
        await self.query("#filter").remove()
        self.refresh_bindings()
        self._filter = ""
        self._show_presets()

    @work(exit_on_error=False)
    async def action_edit(self) -> None:
        """Change what people change of the preset under the cursor; run the outcome or keep it."""
        planned, host = self._current(), self._inspection.host if self._inspection is not None else None
        if planned is not None and planned.preset is None:
            self._fail(f"{planned.file.name} cannot be edited before it is right. {planned.problem}")
            return
        if planned is None or host is None:
            self.app.bell()
            return
        from .editor import EditorScreen

        edited = await self.app.push_screen_wait(EditorScreen(planned, self._options.overrides, host))
        if isinstance(edited, str):
            self._list.go_to(edited)
        elif edited is not None:
            await self._start([edited])

    # Starting

    @work(exit_on_error=False)
    async def action_start(self) -> None:
        """Start what is selected, or else the preset under the cursor."""
        selected = self._presets(self._list.selected)
        current = self._current()
        await self._start(selected or ([current] if current is not None else []))

    async def _start(self, presets: Sequence[PlannedPreset]) -> None:
        inspection = self._inspection
        if self._starting or self._started or not presets or inspection is None or inspection.host is None:
            self.app.bell()
            return
        obstacles = [*(planned.obstacle for planned in presets), inspection.obstacle]
        if obstacle := next(filter(None, obstacles), ""):
            self._fail(obstacle)
            return
        self._starting = True
        try:
            await self._start_beside_others(presets, inspection.host)
        except OSError as error:
            self._fail(f"The session cannot be started: {error}.")
        finally:
            self._starting = False

    async def _start_beside_others(self, presets: Sequence[PlannedPreset], host: Host) -> None:
        """Ask whether to queue behind the sessions that are running or queued, then start."""
        from ...engine.record.shelf import Shelf, default_root
        from ..data.planned_presets import unfinished_sessions
        from ..data.start_sessions import start_sessions
        from .dialogs.question import queue_question

        shelf = Shelf(self._root or default_root())
        unfinished = await asyncio.to_thread(unfinished_sessions, shelf)
        if unfinished:
            names = [folder.name for folder in unfinished]
            answer = await self.app.push_screen_wait(queue_question(names))
            if answer == "cancel":
                return
            unfinished = unfinished if answer == "queue" else []
        folder, process = await asyncio.to_thread(start_sessions, self._root, presets, host, unfinished)
        self._started = True
        self._list.unselect()
        self.post_message(ShowMonitor(folder, process))

    def _fail(self, sentence: str) -> None:
        self._problem = sentence
        self._draw_plan()
        self.query_one("#plan", Panel).scroll_home(animate=False)

    def action_attach(self) -> None:
        """Watch the session that runs already."""
        if self._inspection is not None and self._inspection.running is not None:
            self.post_message(ShowMonitor(self._inspection.running))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """There may be nothing to attach to, and no filter to end."""
        if action == "clear_filter":
            return bool(self.query("#filter"))
        return action != "attach" or (self._inspection is not None and self._inspection.running is not None)
