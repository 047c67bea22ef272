"""Looking at the app as a person does: what stands on the screen, and waiting until something does."""

from __future__ import annotations

import time
from collections.abc import Callable

from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.tui.app import GpubenchApp, InitialSession
from gpubench_tui.tui.screens.session_screen import SessionScreen
from textual.app import App
from textual.pilot import Pilot

SIZES = [(80, 24), (120, 40), (200, 50)]
PATIENCE_SECONDS = 240.0
"""What never comes is waited for so long: a machine that is busy with other tests may take a while."""


def watching(folder: SessionFolder, speed: float | None = None) -> GpubenchApp:
    """The app as `attach` opens it, or with a speed `replay`."""
    return GpubenchApp(folder.path.parent, initial=InitialSession(folder, speed))


def replayed(folder: SessionFolder) -> GpubenchApp:
    """The app on a replay that is over at once."""
    return watching(folder, 1e6)


def monitor(app: GpubenchApp) -> SessionScreen:
    """The screen that shows the session, wherever it lies in the stack."""
    (screen,) = (screen for screen in app.screen_stack if isinstance(screen, SessionScreen))
    return screen


def screen_text(app: App[int]) -> str:
    """The characters of the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def wait_until(
    pilot: Pilot[int], condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS
) -> None:
    """Let the app run until the condition holds; fail with what is on the screen when it never does.

    An app that has crashed is not waited for.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if pilot.app._exception is not None:
            raise pilot.app._exception
        assert time.monotonic() < deadline, f"never came true; the screen:\n{screen_text(pilot.app)}"
        await pilot.pause(0.05)


async def wait_for_text(pilot: Pilot[int], *texts: str, seconds: float = PATIENCE_SECONDS) -> str:
    """Wait until all these texts stand on the screen, and return it."""
    await wait_until(pilot, lambda: all(text in screen_text(pilot.app) for text in texts), seconds)
    return screen_text(pilot.app)


async def turns(pilot: Pilot[int], seconds: float, count: int = 5) -> None:
    """Let a timer of that period go off so many times: by then every other timer as quick has had its turn.

    Before one asserts that nothing happened: a machine that is busy with other tests delays both alike.
    """
    passed: list[None] = []
    timer = pilot.app.set_interval(seconds, lambda: passed.append(None))
    await wait_until(pilot, lambda: len(passed) >= count)
    timer.stop()
