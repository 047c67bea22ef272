"""The launch screen: choose presets, see their plans for this machine, start them.

It is painted before the engine is imported; a thread reads the presets and inspects the machine.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static

from ..data.launch_feed import (
    DevicesSampled,
    InspectionFailed,
    LaunchOptions,
    MachineInspected,
    shipped_names,
    watch_machine,
)
from ..requests import ChooseGpus, FollowSession, ShowMonitor
from ..widgets.devices_panel import DevicesPanel
from ..widgets.footer import Footer
from ..widgets.panel import Panel
from ..widgets.plan_panel import PlanPanel
from ..widgets.preset_list import PresetList
from ..workers import in_task, in_thread
from .base import is_visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.widgets import Input

    from ...engine.host.facts import Host
    from ..data.planned_presets import Inspection, PlannedPreset
    from ..data.session_watch import SessionProgress


class LaunchScreen(Screen[None]):
    """Presets at the left, the plan of the highlighted one beside them, the devices below."""

    CSS_PATH = "launch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        # As in the list, for the panels.
        Binding(
            "enter",
            "start",
            "Start",
            id="launch.start",
            tooltip="Run the selected presets, or else the highlighted one",
        ),
        Binding(
            "slash",
            "filter",
            "Find",
            id="launch.filter",
            tooltip="Filter the presets by name, question or model",
        ),
        Binding(
            "e",
            "edit",
            "Edit",
            id="launch.edit",
            tooltip="Change model, devices, batch, or any other key",
        ),
        Binding(
            "g", "gpus", "GPUs", id="launch.gpus", tooltip="Choose the GPUs for the runs, as --gpus does"
        ),
        Binding(
            "w",
            "warnings",
            "Warnings",
            show=False,
            id="launch.warnings",
            tooltip="Open or close the warnings on the plan",
        ),
        Binding(
            "a", "attach", "Attach", id="launch.attach", tooltip="Open the monitor of the running session"
        ),
        Binding(
            "escape",
            "clear_filter",
            "Show all",
            id="launch.show_all",
            tooltip="Clear the filter and show all presets",
        ),
    ]

    def __init__(self, root: Path | None, options: LaunchOptions) -> None:
        super().__init__()
        self._root = root
        self._options = options
        self._inspection: Inspection | None = None
        self._newest: DevicesSampled | None = None
        self._starting = False
        self._started = False
        """Whether a session has been started whose monitor is not shown yet."""
        self._filter = ""
        self._shown: tuple[str | None, ...] = ()
        self._problem = ""
        self._progress: Mapping[Path, SessionProgress] = {}
        self._leave = threading.Event()

    def compose(self) -> ComposeResult:
        """Compose the screen; nothing here waits for anything."""
        yield Static("gpubench-tui", id="machine", classes="headline", markup=False)
        yield Static(id="running", markup=False)
        with Horizontal(id="middle"):
            presets = PresetList(shipped_names(), id="presets")
            presets.border_title = "Presets"
            yield presets
            yield PlanPanel("Plan for this machine", id="plan")
        yield DevicesPanel("Devices", id="devices", classes="exact")
        yield Footer()

    def on_mount(self) -> None:
        """Show that the inspection is under way."""
        self.query_one("#plan", Panel).show(
            Content.styled("reading the presets and inspecting this machine", "$muted")
        )
        self.query_one("#devices", Panel).show(Content.styled("inspecting", "$muted"))
        self._list.focus()

    def on_screen_resume(self) -> None:
        """Inspect again: the machine and its sessions may have changed while the screen was hidden."""
        self._problem = ""
        self._started = False
        self._leave.set()
        self._leave = threading.Event()
        self.call_after_refresh(self._inspect, self._leave)

    def on_screen_suspend(self) -> None:
        """Stop the inspection while the screen is hidden."""
        self._leave.set()

    def on_unmount(self) -> None:
        """Stop the thread."""
        self._leave.set()

    def on_resize(self) -> None:
        """Draw plan and devices to their new sizes."""
        self.call_after_refresh(self._redraw)

    @property
    def _list(self) -> PresetList:
        return self.query_one(PresetList)

    # Inspection

    @in_thread("inspecting this machine", feed=True, exclusive=True)
    def _inspect(self, leave: threading.Event) -> None:
        watch_machine(self._root, self._options, leave, self.post_message)

    @on(MachineInspected)
    def _inspected(self, message: MachineInspected) -> None:
        known, found = self._inspection, message.inspection
        if known is not None and known.host is not None and found.host is None and not found.problem:
            return  # a repeated inspection begins without the host
        self._inspection = found
        if found.running is not None:
            self.post_message(FollowSession(found.running))
        self._show_presets()
        self.refresh_bindings()
        self._redraw()

    @on(InspectionFailed)
    def _inspection_failed(self, message: InspectionFailed) -> None:
        if self._inspection is not None:
            self._fail(message.sentence)
        for panel in ("#plan", "#devices") if self._inspection is None else ():
            self.query_one(panel, Panel).show(Content.styled(message.sentence, "$text-error"))

    @on(DevicesSampled)
    def _sampled(self, message: DevicesSampled) -> None:
        self._newest = message
        for note in message.notes:
            self.notify(note, severity="warning", markup=False)
        self._draw_devices()

    # Drawing

    @on(OptionList.OptionHighlighted)
    @on(PresetList.SelectionChanged)
    def _moved(self) -> None:
        # The cursor also moves when the list is filled again.
        shown = (self._list.current, *self._list.selected)
        if shown != self._shown:
            self._shown, self._problem = shown, ""
            self.query_one("#plan", Panel).scroll_home(animate=False)
        self._draw_plan()

    def _redraw(self) -> None:
        if is_visible(self):
            self._draw_machine()
            self._draw_running()
            self._draw_plan()
            self._draw_devices()

    def show_progress(self, progress: Mapping[Path, SessionProgress]) -> None:
        """Show the progress of the sessions that have not ended, by the path of their folder."""
        known, self._progress = self._progress, progress
        found = self._inspection
        if found is not None and found.running is not None:
            path = found.running.path
            if path in known and path not in progress:  # it has ended since the inspection
                self._inspection = found.without_running()
                self.refresh_bindings()
        if is_visible(self):
            self._draw_running()

    def _draw_running(self) -> None:
        """Show the session that is running, if one is, and how to return to it."""
        running = self._inspection.running if self._inspection is not None else None
        line = self.query_one("#running", Static)
        line.display = running is not None
        if running is not None:
            from ..render.planned_preset import running_line

            line.update(running_line(running.name, self._progress.get(running.path)))

    def _draw_machine(self) -> None:
        if self._inspection is None:
            return
        from ..render.planned_preset import machine_line

        self.query_one("#machine", Static).update(machine_line(self._inspection))

    def _draw_plan(self) -> None:
        if self._inspection is None:
            return
        selected = self._presets(self._list.selected)
        self.query_one(PlanPanel).draw(
            self._inspection, self._current(), selected, self._options.overrides, self._problem
        )

    def _draw_devices(self) -> None:
        machine = self._inspection.machine if self._inspection is not None else None
        if self._newest is not None and machine is not None and is_visible(self):
            self.query_one(DevicesPanel).draw(self._newest, machine, self._options.gpus)

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
        """Show the filter field and move to it."""
        from ..widgets.filter_field import FilterField

        if not self.query("#filter"):
            await self.mount(FilterField("name, question or model", id="filter"), before="#middle")
        self.query_one("#filter").focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Filter the list as the user types."""
        self._filter = message.value
        self._show_presets()

    def action_leave_filter(self) -> None:
        """Move from the filter to the list."""
        self._list.focus()

    async def action_clear_filter(self) -> None:
        """Clear the filter and show all presets."""
        self._list.focus()
        await self.query("#filter").remove()
        self.refresh_bindings()
        self._filter = ""
        self._show_presets()

    @in_task("editing the preset")
    async def action_edit(self) -> None:
        """Open the editor on the highlighted preset; run the edited preset, or highlight the saved one."""
        planned, host = self._current(), self._inspection.host if self._inspection is not None else None
        if planned is not None and planned.preset is None:
            self._fail(f"Fix {planned.file.path} before editing it here. {planned.problem}")
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

    # Choices

    def action_warnings(self) -> None:
        """Open the warnings on the plan, or close them."""
        panel = self.query_one(PlanPanel)
        panel.opened = not panel.opened
        self._draw_plan()

    @in_task("choosing GPUs")
    async def action_gpus(self) -> None:
        """Ask which GPUs runs may use."""
        machine = self._inspection.machine if self._inspection is not None else None
        if machine is None:
            self.app.bell()
            return
        if not machine.gpus:
            why = f": {machine.notes[0]}" if machine.notes else ""
            self.notify(f"There are no GPUs to choose from here{why}.", markup=False)
            return
        from ..data.gpu_users import gpu_states
        from .dialogs.gpus import GpusScreen

        samples = self._newest.gpus if self._newest is not None else ()
        states = gpu_states(machine.gpus, samples, self._options.gpus)
        chosen = await self.app.push_screen_wait(GpusScreen(states))
        if chosen is not None:
            gpus = None if len(chosen) == len(machine.gpus) else chosen
            self._options = self._options._replace(gpus=gpus)
            self.post_message(ChooseGpus(gpus))

    # Starting

    @in_task("starting the session")
    async def action_start(self) -> None:
        """Start the selected presets, or else the highlighted one."""
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
        """Start; ask first whether to queue behind sessions that use the same devices."""
        from ..data.start_sessions import of_presets
        from .dialogs.question import start_unless_in_use

        started = await start_unless_in_use(self.app, self._root, of_presets(presets, host))
        if started is not None:
            self._started = True
            self._list.unselect()
            self.post_message(ShowMonitor(*started))

    def _fail(self, sentence: str) -> None:
        self._problem = sentence
        self._draw_plan()
        self.query_one("#plan", Panel).scroll_home(animate=False)

    def action_attach(self) -> None:
        """Open the monitor of the running session."""
        if self._inspection is not None and self._inspection.running is not None:
            self.post_message(ShowMonitor(self._inspection.running))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Disable Attach if no session is running, and Show all if there is no filter."""
        if action == "clear_filter":
            return bool(self.query("#filter"))
        return action != "attach" or (self._inspection is not None and self._inspection.running is not None)
