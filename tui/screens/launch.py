"""The launch screen: choose presets, see their plans for this machine, start them.

It is painted before the engine is imported; a thread reads the presets and inspects the machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import OptionList, Static

from ..data.launch_feed import LaunchOptions, shipped_names
from ..requests import ShowMonitor
from ..widgets.devices_panel import DevicesPanel
from ..widgets.footer import Footer
from ..widgets.panel import Panel
from ..widgets.plan_panel import PlanPanel
from ..widgets.preset_list import PresetList
from ..workers import in_task
from .machine_screen import MachineScreen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.widgets import Input

    from ...engine.host.facts import Host
    from ..data.planned_presets import PlannedPreset
    from ..data.start_sessions import NewSession


class LaunchScreen(MachineScreen):
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
            "t",
            "tune",
            "Tune",
            id="launch.tune",
            tooltip="Make the highlighted preset faster: try remedies one after the other, keep what helps",
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
            "escape",
            "clear_filter",
            "Show all",
            id="launch.show_all",
            tooltip="Clear the filter and show all presets",
        ),
    ]

    def __init__(self, root: Path | None, options: LaunchOptions) -> None:
        super().__init__(root, options)
        self._starting = False
        self._started = False
        """Whether a session has been started whose monitor is not shown yet."""
        self._filter = ""
        self._shown: tuple[str | None, ...] = ()
        self._problem = ""

    def compose(self) -> ComposeResult:
        """Compose the screen; nothing here waits for anything."""
        yield Static("gpubench-tui", id="machine", classes="headline", markup=False)
        yield Static(id="running", markup=False)
        with Horizontal(id="middle"):
            yield PresetList(shipped_names(), id="presets")
            yield PlanPanel("Plan for this machine", id="plan")
        yield DevicesPanel("Devices", id="devices", classes="exact")
        yield Footer()

    def on_mount(self) -> None:
        """Focus the presets."""
        self.focus_first()

    def focus_first(self) -> None:
        """Focus the presets."""
        self._list.focus()

    def on_screen_resume(self) -> None:
        """Forget why something could not be started; it may be possible now."""
        self._problem = ""
        self._started = False

    def on_resize(self) -> None:
        """Draw plan and devices to their new sizes."""
        self.call_after_refresh(self.redraw)

    @property
    def _list(self) -> PresetList:
        return self.query_one(PresetList)

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

    def redraw(self) -> None:
        """Draw the presets, the plan and the machine, if the screen is visible."""
        self._show_presets()
        super().redraw()

    def _draw_plan(self) -> None:
        if self._inspection is None:
            return
        selected = self._presets(self._list.selected)
        self.query_one(PlanPanel).draw(
            self._inspection, self._current(), selected, self._options.overrides, self._problem
        )

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
        """Show all panels if one is enlarged; else clear the filter and show all presets."""
        if self.query_one(DevicesPanel).enlarged:
            self.action_zoom()
            return
        self._list.focus()
        await self.query("#filter").remove()
        self.refresh_bindings()
        self._filter = ""
        self._show_presets()

    @in_task("editing the preset")
    async def action_edit(self) -> None:
        """Open the editor on the highlighted preset; run the edited preset, or highlight the saved one."""
        planned, inspection = self._current(), self._inspection
        if planned is not None and planned.preset is None:
            self.fail(f"Fix {planned.file.path} before editing it here. {planned.problem}")
            return
        if planned is None or inspection is None or inspection.host is None:
            self.app.bell()
            return
        from .editor import EditorScreen

        editor = EditorScreen(planned, self._options.overrides, inspection.host, inspection.paces)
        edited = await self.app.push_screen_wait(editor)
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

    # Starting

    @in_task("starting the session")
    async def action_start(self) -> None:
        """Start the selected presets, or else the highlighted one."""
        selected = self._presets(self._list.selected)
        current = self._current()
        await self._start(selected or ([current] if current is not None else []))

    async def _start(self, presets: Sequence[PlannedPreset]) -> None:
        if (host := self._ready_for(presets)) is not None:
            from ..data.start_sessions import of_presets

            await self._start_new(of_presets(presets, host))

    @in_task("starting the tune")
    async def action_tune(self) -> None:
        """Ask how far the tune of the highlighted preset may go, and start it."""
        current = self._current()
        host = self._ready_for([current] if current is not None else [])
        if current is None or current.plan is None or host is None:
            return
        from ...engine.plan.tune_plan import NothingToTuneError, run_to_tune
        from ..data.start_sessions import tune_of
        from .dialogs.tune import TuneScreen

        try:
            run = run_to_tune(current.plan)
        except NothingToTuneError as error:
            self.fail(f"{error}.")
            return
        tune = await self.app.push_screen_wait(TuneScreen(current.file.name, run.label))
        if tune is not None:
            await self._start_new([tune_of(current, host, tune, run)])

    def _ready_for(self, presets: Sequence[PlannedPreset]) -> Host | None:
        """Return the host if sessions of the presets can be started now; else say why not."""
        inspection = self._inspection
        if self._starting or self._started or not presets or inspection is None or inspection.host is None:
            self.app.bell()
            return None
        obstacles = [*(planned.obstacle for planned in presets), inspection.obstacle]
        if obstacle := next(filter(None, obstacles), ""):
            self.fail(obstacle)
            return None
        return inspection.host

    async def _start_new(self, new: Sequence[NewSession]) -> None:
        """Start; ask first whether to queue behind sessions that use the same devices."""
        from .dialogs.question import start_unless_in_use

        if self._starting or self._started:
            return
        self._starting = True
        try:
            started = await start_unless_in_use(self.app, self._root, new)
        except OSError as error:
            from ...engine.host.shortage import shortage

            self.fail(f"The session cannot be started: {shortage(error)}.")
        else:
            if started is not None:
                self._started = True
                self._list.unselect()
                self.post_message(ShowMonitor(*started))
        finally:
            self._starting = False

    def fail(self, sentence: str) -> None:
        """Show a sentence above the plan."""
        self._problem = sentence
        self._draw_plan()
        self.query_one("#plan", Panel).scroll_home(animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Disable Attach without a running session, Show all without a filter, and keys of what is hidden."""
        if action == "clear_filter":
            return bool(self.query("#filter")) or self.query_one(DevicesPanel).enlarged
        if action == "warnings":
            return not self.query_one(DevicesPanel).enlarged
        return action != "attach" or (self._inspection is not None and self._inspection.running is not None)
