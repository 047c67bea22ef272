"""A screen that follows this machine while it is shown: inspections, samples, the running session."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from ..data.launch_feed import (
    DevicesSampled,
    InspectionFailed,
    LaunchOptions,
    MachineInspected,
    watch_machine,
)
from ..requests import ChooseGpus, FollowSession, ShowMonitor
from ..widgets.devices_panel import DevicesPanel
from ..widgets.panel import Panel
from ..workers import in_task, in_thread
from .base import is_visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..data.planned_presets import Inspection
    from ..data.session_watch import SessionProgress


class MachineScreen(Screen[None]):
    """Has the machine in `#machine`, its devices in `#devices` and the running session in `#running`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "z",
            "zoom",
            "Zoom",
            show=False,
            id="launch.zoom",
            tooltip="Give the devices the screen, with processes and history, or show all panels again",
        ),
        Binding(
            "left_square_bracket,right_square_bracket",
            "stretch",
            "Stretch",
            show=False,
            id="launch.stretch",
            tooltip="Change the stretch of time of the enlarged devices",
        ),
        Binding(
            "a", "attach", "Attach", id="launch.attach", tooltip="Open the monitor of the running session"
        ),
    ]

    def __init__(self, root: Path | None, options: LaunchOptions) -> None:
        super().__init__()
        self._root = root
        self._options = options
        self._inspection: Inspection | None = None
        self._newest: DevicesSampled | None = None
        self._progress: Mapping[Path, SessionProgress] = {}
        self._leave = threading.Event()

    def on_mount(self) -> None:
        """Show that the inspection is under way."""
        for panel in self.query(Panel):
            panel.show(Content.styled("inspecting this machine", "$muted"))

    def on_screen_resume(self) -> None:
        """Inspect again: the machine and its sessions may have changed while the screen was hidden."""
        self._leave.set()
        self._leave = threading.Event()
        self.call_after_refresh(self._inspect, self._leave)

    def on_screen_suspend(self) -> None:
        """Stop the inspection while the screen is hidden."""
        self._leave.set()

    def on_unmount(self) -> None:
        """Stop the thread."""
        self._leave.set()

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
        self.refresh_bindings()
        self.redraw()

    @on(InspectionFailed)
    def _inspection_failed(self, message: InspectionFailed) -> None:
        known = self._inspection
        if known is not None:
            self.fail(message.sentence)
        waiting = self.query(Panel) if known is None else [self.query_one(DevicesPanel)]
        for panel in waiting if known is None or known.host is None else ():
            panel.show(Content.styled(message.sentence, "$text-error"))

    @on(DevicesSampled)
    def _sampled(self, message: DevicesSampled) -> None:
        self._newest = message
        for note in message.notes:
            self.notify(note, severity="warning", markup=False)
        self.query_one(DevicesPanel).add(message)
        self._draw_devices()

    def focus_first(self) -> None:
        """Focus what has the focus at first."""
        raise NotImplementedError

    def fail(self, sentence: str) -> None:
        """Show why something cannot be done."""
        raise NotImplementedError

    # Drawing

    def redraw(self) -> None:
        """Draw what the screen tells of the machine, if it is visible."""
        if is_visible(self):
            self._draw_machine()
            self._draw_running()
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

        line = self.query_one("#machine", Static)
        line.update(machine_line(self._inspection, line.content_size.width or self.size.width))

    def _draw_devices(self) -> None:
        machine = self._inspection.machine if self._inspection is not None else None
        if self._newest is not None and machine is not None and is_visible(self):
            self.query_one(DevicesPanel).draw(self._newest, machine, self._options.gpus)

    # Actions

    def action_zoom(self) -> None:
        """Give the devices the screen for themselves, or show all panels again."""
        panel = self.query_one(DevicesPanel)
        panel.enlarged = not panel.enlarged
        self.set_class(panel.enlarged, "-zoomed")
        panel.focus() if panel.enlarged else self.focus_first()
        self.refresh_bindings()
        self.call_after_refresh(self.redraw)

    def action_stretch(self) -> None:
        """Show the next stretch of time in the enlarged devices."""
        self.query_one(DevicesPanel).stretch += 1
        self.redraw()

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

    def action_attach(self) -> None:
        """Open the monitor of the running session."""
        if self._inspection is not None and self._inspection.running is not None:
            self.post_message(ShowMonitor(self._inspection.running))
