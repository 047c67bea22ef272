"""The launch screen on the machine that the driver library tells of: `python -m driving.launch_on_gpus`.

It prints the screen in each size, as JSON. A process of its own, because a driver library stays loaded.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import msgspec
from building import recorded
from gpubench_tui.engine.host import cpu_meter, findings
from gpubench_tui.engine.host.facts import Host
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.data import planned_presets

from .app import wait_for_text
from .snapshots import SIZES, settled


def a_host(gpus: object) -> Host:
    """The GPUs as found, in a machine that is the same everywhere."""
    made_up = recorded.host(1)
    found = inspect_host(None)
    return msgspec.structs.replace(
        found, name=made_up.name, cpu=made_up.cpu, software=made_up.software, notes=()
    )


async def main() -> None:
    planned_presets.inspect_host = a_host
    cpu_meter.CpuMeter.sample = lambda _: recorded.cpu_sample()
    findings._resources = lambda *_: iter(())
    screens = {}
    with tempfile.TemporaryDirectory() as root:
        app = GpubenchApp(Path(root))
        async with app.run_test(size=SIZES[0]) as pilot:
            for width, height in SIZES:
                await pilot.resize_terminal(width, height)
                await wait_for_text(pilot, "(estimate)", "612")
                screens[f"{width}x{height}"] = await settled(pilot)
    json.dump(screens, sys.stdout)


asyncio.run(main())
