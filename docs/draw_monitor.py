"""Draw `docs/monitor.svg`: the app's own picture of its monitor, over a simulated session on eight GPUs.

The session is made up, for want of a machine with eight GPUs. The picture says so in three places: its title,
the name of the session and that of the GPUs. All else is the app's real screen.

    python docs/draw_monitor.py
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gpubench_tui.engine.host.facts import Cpu, CpuSample, Gpu, GpuSample, Host, Software
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import Plan, RunSpec
from gpubench_tui.engine.plan.preset.preset import Matrix, Measure, Preset
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record import events
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.app import GpubenchApp, InitialSession
from gpubench_tui.tui.screenshot import screenshot_svg

TARGET = Path(__file__).with_name("monitor.svg")
TITLE = "gpubench-tui (simulated session: these figures are made up)"
SIZE = (110, 36)
GIB = 1 << 30
GPUS = 8
BATCH = 512
STEP_SECONDS = 0.05
STEPS_A_WINDOW = 10
WINDOWS = 18
WINDOWS_SHOWN = 11
"""Windows of the last run, in the middle of which the picture is taken."""
SLOWDOWN = {1: 1.0, 2: 1.03, 4: 1.06, 8: 1.11}
"""Step time by number of devices, relative to one device."""
THROTTLED = 5
"""Index of the GPU that reaches its power limit."""


def host() -> Host:
    """Return a machine with eight GPUs that do not exist."""
    return Host(
        name="simulation",
        cpu=Cpu("simulated CPU", tuple(range(64)), physical=64, memory_bytes=512 * GIB),
        software=Software("3.11.9", "Linux", torch="2.13.0", torch_cuda="13.0", torchvision="0.28.0"),
        gpus=tuple(
            Gpu(index, f"GPU-{index}", "simulated GPU", 80 * GIB, (9, 0), power_limit_watts=700)
            for index in range(GPUS)
        ),
    )


def plan() -> Plan:
    """Return the runs: one device, then DDP on two, four and eight."""
    preset = Preset(
        title="DDP on 1 to 8 GPUs",
        question="How far does training scale?",
        workload=Workload(model="torchvision:resnet50", batch=BATCH, precision="bf16"),
        measure=Measure(seconds=20, windows=5),
        matrix=Matrix(modes=("single", "ddp"), devices=(2, 4, 8)),
    )
    return make_plan("ddp-scaling", preset, host())


def session_events(noise: random.Random) -> Iterator[events.Event]:
    """Yield what a session would have recorded until the middle of its last run."""
    the_plan, at = plan(), 0.0
    yield events.SessionStarted(
        at=at, session="simulated", program="0.1.0", unix_time=1.8e9, pid=1, host=host(), plan=the_plan
    )
    for spec in the_plan.runs:
        is_last = spec is the_plan.runs[-1]
        yield events.LogMessage(at=at, level="info", text=f"{spec.label} began", run=spec.id)
        for event in run_events(spec, at, noise, WINDOWS_SHOWN if is_last else WINDOWS):
            at = max(at, event.at)
            yield event
        if not is_last:
            yield events.RunFinished(at=at, run=spec.id, outcome="measured")
            yield events.LogMessage(at=at, level="info", text=f"{spec.label} measured", run=spec.id)
            at += 0.3


def run_events(spec: RunSpec, start: float, noise: random.Random, windows: int) -> Iterator[events.Event]:
    """Yield one run: its ranks start, warm up, and measure that many windows."""
    yield events.RunStarted(at=start, run=spec.id)
    for rank in range(spec.world_size):
        yield events.RankStarted(
            at=start + 0.2, run=spec.id, rank=rank, pid=2 + rank, device=f"cuda:{rank}", settings={}
        )
    at = start + 0.4
    for window in range(-1, windows):
        slower = 1.06 if window < 0 else noise.gauss(1.0, 0.03)
        seconds = STEP_SECONDS * SLOWDOWN[spec.device_count] * slower
        ended = at + seconds * STEPS_A_WINDOW
        for rank in range(spec.world_size):
            yield from window_events(spec, rank, window, at, seconds, noise)
        yield sampled(ended, spec.device_count, noise)
        at = ended


def window_events(
    spec: RunSpec, rank: int, window: int, began: float, seconds: float, noise: random.Random
) -> Iterator[events.Event]:
    """Yield a window of one rank with its steps; window -1 is warm-up."""
    first, ended = (window + 1) * STEPS_A_WINDOW, began + seconds * STEPS_A_WINDOW
    if window < 1:
        phase = "warming up" if window < 0 else "measuring"
        yield events.PhaseChanged(at=began, run=spec.id, rank=rank, phase=phase)
    yield events.Steps(
        at=ended,
        run=spec.id,
        rank=rank,
        first=first,
        seconds=[seconds] * STEPS_A_WINDOW,
        loss=[
            0.4 + 1.9 * math.exp(-step / 60) + noise.gauss(0, 0.03)
            for step in range(first, first + STEPS_A_WINDOW)
        ],
        samples=[BATCH] * STEPS_A_WINDOW,
        learning_rate=[0.1] * STEPS_A_WINDOW,
    )
    if window >= 0:
        yield events.Window(
            at=ended,
            run=spec.id,
            rank=rank,
            index=window,
            steps=STEPS_A_WINDOW,
            samples=BATCH * STEPS_A_WINDOW,
            seconds=seconds * STEPS_A_WINDOW,
        )


def sampled(at: float, busy: int, noise: random.Random) -> events.Sampled:
    """Return a sample of the machine while that many GPUs train."""
    return events.Sampled(
        at=at,
        gpus=[gpu_sample(index, index < busy, noise) for index in range(GPUS)],
        cpu=CpuSample(
            tuple(noise.uniform(5, 40) for _ in range(64)),
            96 * GIB,
            512 * GIB,
            session_percent=100.0 * busy + 40,
            session_memory_bytes=(4 + 3 * busy) * GIB,
        ),
    )


def gpu_sample(index: int, is_busy: bool, noise: random.Random) -> GpuSample:
    """Return one GPU's sample, training or idle."""
    throttles = is_busy and index == THROTTLED
    return GpuSample(
        index,
        utilization=min(100.0, noise.gauss(92, 5)) if is_busy else 0.0,
        memory_used_bytes=(38 if is_busy else 1) * GIB,
        memory_total_bytes=80 * GIB,
        temperature=(72.0 if throttles else 58.0 + index % 3) if is_busy else 36.0,
        power_watts=(699.0 if throttles else noise.gauss(630, 8)) if is_busy else 74.0,
        power_limit_watts=700.0,
        sm_clock_mhz=(1710.0 if throttles else 1980.0) if is_busy else 345.0,
        sm_clock_max_mhz=1980.0,
        throttle=("power cap",) if throttles else (),
    )


def shelve(root: Path) -> SessionFolder:
    """Write the session's folder with its journal."""
    folder = Shelf(root).create("simulated", plan(), host(), "")
    journal = Journal(folder.journal)
    for event in session_events(random.Random(1)):
        journal.append(event)
    journal.close()
    return folder


async def draw(root: Path) -> str:
    """Return the SVG of the monitor that follows the session, which a held lock keeps running."""
    folder = shelve(root)
    with folder.hold():
        app = GpubenchApp(root, initial=InitialSession(folder))
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause(3)
            return screenshot_svg(app, TITLE)


def main() -> None:
    """Write the picture, in all colours whatever the terminal."""
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as root:
        os.environ["XDG_CONFIG_HOME"] = root
        TARGET.write_text(asyncio.run(draw(Path(root))), encoding="utf-8")


if __name__ == "__main__":
    main()
