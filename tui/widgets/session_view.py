"""The panels of the monitor: plan, current run, plots, ranks, devices and log of a session."""

from __future__ import annotations

from collections.abc import Hashable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from ...engine.analysis.diagnosis.stragglers import paces
from ...engine.analysis.tuning.tuning import tuning_of
from ...engine.record.session import RunState, Session
from ...engine.record.session_folder import SessionFolder
from ..render.monitor.cpu_strip import cpu_strip, cpu_summary
from ..render.monitor.current_run import current_run
from ..render.monitor.gpu_details import gpu_details
from ..render.monitor.gpu_strip import GpuPast, gpu_strips, throttled_gpus
from ..render.monitor.plan import current_run_line, plan_list, plan_title
from ..render.monitor.rank_bars import rank_bars, rank_title
from ..render.monitor.run_plots import PlotArea, TitledPlot, loss_plot, throughput_plot
from ..render.monitor.time_range import TIME_RANGES
from ..render.tuning import tuning_title, waterfall
from .log_panel import LogPanel
from .panel import Panel

CPU_LINES = 2
"""Lines of the CPUs above the GPUs where they train."""


class SessionView(Vertical):
    """Draws a session: only what has changed since, and nothing that is hidden."""

    def __init__(self, folder: SessionFolder, unicode: bool) -> None:
        super().__init__()
        self._folder = folder
        self.time = TIME_RANGES[0]
        """Stretch of time that the plots show."""
        self._unicode = unicode
        self._drawn: dict[str, Hashable] = {}
        self._line = 0
        """Line of the plan or the waterfall that must be visible."""

    def compose(self) -> ComposeResult:
        """Compose the panels."""
        with Horizontal(id="top"):
            yield Panel("Plan", id="plan")
            yield Panel("Now", id="now")
        with Horizontal(id="plots"):
            yield Panel("Samples/s", id="throughput", classes="exact")
            yield Panel("Loss", id="loss", classes="exact")
            yield Panel("Step time of each rank", id="ranks", classes="exact")
        yield Panel("Devices", id="devices", classes="exact")
        yield LogPanel(self._folder)

    def draw(self, session: Session, plots: bool = True, most_left: float | None = None) -> None:
        """Draw all panels; the plots only if `plots`.

        `most_left`: seconds that the session is said to take; None if unknown.
        """
        self._draw_plan(session)
        self._draw_current_run(session, most_left)
        run = latest_run(session)
        self._draw_ranks(session, run)
        if plots:
            self._draw_plots(session, run)
        self._draw_devices(session)
        log = self._panel("log")
        if isinstance(log, LogPanel):
            log.draw(session.log, run)

    def turn_log(self, session: Session) -> None:
        """Choose the log of the next rank; after the last, that of the session."""
        self.query_one(LogPanel).turn(latest_run(session))

    def _panel(self, name: str) -> Panel | None:
        """Return the panel, or None if it is hidden or another one is enlarged."""
        panel = self.query_one(f"#{name}", Panel)
        return panel if panel.display and self.screen.maximized in (None, panel) else None

    def _is_drawn(self, panel: Panel, *values: Hashable) -> bool:
        """Return whether the panel was last drawn in this size from these values; remember them."""
        name = panel.id or ""
        key = (panel.columns, panel.lines, self.time, *values)
        if self._drawn.get(name) == key:
            return True
        self._drawn[name] = key
        return False

    def _draw_plan(self, session: Session) -> None:
        """Show the runs, or in a tune what it has tried."""
        tuning = tuning_of(session)
        self._lay_out(session, "-tuning", tuning is not None)
        panel = self._panel("plan")
        if panel is None:
            return
        title = session.plan.title or "Plan"
        if tuning is not None:
            panel.set_title(title, tuning_title(tuning))
            if not self._is_drawn(panel, tuning):
                content, self._line = waterfall(tuning, panel.columns)
                panel.show(content)
        else:
            panel.set_title(title, plan_title(session) if session.started else "")
            panel.show(plan_list(session, panel.columns))
            self._line = current_run_line(session)
        if not panel.has_focus:
            self.call_after_refresh(panel.reveal, self._line)

    def _draw_current_run(self, session: Session, most_left: float | None) -> None:
        panel = self._panel("now")
        if panel is not None:
            panel.set_title(session.runs[session.current].spec.label if session.current else "Now")
            panel.show(current_run(session, panel.columns, most_left))

    def _draw_ranks(self, session: Session, run: RunState | None) -> None:
        """Show the step time of each rank if one of them is a straggler."""
        known = paces(run) if run is not None else None
        self._lay_out(session, "-straggling", known is not None and known.straggler is not None)
        panel = self._panel("ranks")
        if panel is not None and known is not None:
            panel.set_title(rank_title(known))
            panel.show(rank_bars(known, panel.columns, panel.lines))

    def _lay_out(self, session: Session, layout: str, wanted: bool) -> None:
        """Give the screen a layout, or take it away; what it shows is drawn once it has its size."""
        if self.screen.has_class(layout) != wanted:
            self.screen.set_class(wanted, layout)
            self.call_after_refresh(self.draw, session)

    def _draw_plots(self, session: Session, run: RunState | None) -> None:
        plotted: tuple[Hashable, ...] = (id(session), int(session.elapsed))
        if run is not None:
            news = run.throughput.points, run.loss.points, len(run.complete_windows)
            plotted += (run.spec.id, run.state, *news, len(run.evaluations.get(0, ())))
        panel = self._panel("throughput")
        if panel is not None and not self._is_drawn(panel, *plotted):
            _show(panel, throughput_plot(session, run, self._canvas(panel)))
        panel = self._panel("loss")
        if panel is not None and not self._is_drawn(panel, *plotted):
            _show(panel, loss_plot(run, self._canvas(panel)))

    def _canvas(self, panel: Panel) -> PlotArea:
        return PlotArea(panel.columns, panel.lines, self._unicode, self.time)

    def _draw_devices(self, session: Session) -> None:
        panel = self._panel("devices")
        if panel is None or self._is_drawn(panel, id(session), session.cpu.memory.points, self._strip_lines):
            return
        sample = session.cpu.last
        cores = [core for device in session.plan.devices for core in device.cores]
        cpus = cpu_strip(sample, panel.columns, cores)
        if not session.gpus:
            panel.set_title("CPU", session.host.cpu.model)
            panel.show(cpus)
            return
        samples = [history.last for _, history in sorted(session.gpus.items())]
        models = " + ".join(dict.fromkeys(gpu.name for gpu in session.host.gpus))
        names = f"{len(samples)} x {models or 'GPU'}"
        held, processor = throttled_gpus(samples), cpu_summary(sample) if sample is not None else ""
        trains_on_cpus = any(device.kind == "cpu" for device in session.plan.devices)
        if trains_on_cpus:
            names, processor = f"CPU, which trains, and {names}", session.host.cpu.model
        fits = len(f"{names}: {processor}, throttled: {held}") <= panel.columns
        panel.set_title(
            names, processor if fits or not held else "", warning=f"throttled: {held}" if held else ""
        )
        past = GpuPast(session.gpus, session.elapsed, self.time)
        above = CPU_LINES if trains_on_cpus else 0
        if self.screen.maximized is panel:
            gpus = gpu_details(past, rank_names(session), panel.columns, panel.lines - above)
        else:
            gpus = gpu_strips(samples, panel.columns, self._strip_lines - above, past)
        panel.show(Content("\n").join([cpus, gpus]) if trains_on_cpus else gpus)

    @property
    def _strip_lines(self) -> int:
        """Return the number of lines that the devices may take."""
        panel = self.query_one("#devices", Panel)
        return panel.lines if self.screen.maximized is panel else max(4, self.screen.size.height // 2 - 8)


def _show(panel: Panel, drawn: TitledPlot) -> None:
    panel.set_title(drawn.title)
    panel.show(drawn.content)


def rank_names(session: Session) -> dict[int, str]:
    """Return the names of the current run's ranks by their process ids: `rank 0 of ddp x2`."""
    if session.current is None:
        return {}
    run = session.runs[session.current]
    return {
        rank.pid: f"rank {number} of {run.spec.label}"
        for number, rank in run.ranks.items()
        if rank.pid is not None
    }


def latest_run(session: Session) -> RunState | None:
    """Return the current run, else the last one that was started."""
    if session.current is not None:
        return session.runs[session.current]
    started = [run for run in session.runs.values() if run.started_at is not None]
    return started[-1] if started else None
