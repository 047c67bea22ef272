"""The replay: a recorded session in the monitor, at any speed, from any moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from ...engine.record.session import Session
from ...engine.record.shelf import SessionFolder
from ..data.feed import ReplayFeed
from ..widgets.timeline import Timeline
from .session_screen import VIEW_KEYS, SessionScreen

SPEEDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
STRIDE = 0.05
"""Of the session, sought by one key press."""
SMALL_STRIDE_SECONDS = 10.0
CHECK_EVENTS = 256


@dataclass
class SeekDone(Message):
    """The session as it was at the moment that was sought, and what comes after."""

    session: Session
    feed: ReplayFeed


class ReplayScreen(SessionScreen[ReplayFeed]):
    """Shows a finished session as if it were live; nothing here reaches the session itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play", "Pause", id="replay.pause", tooltip="Hold the replay, or let it go on"),
        Binding("left", "seek(-1)", "Back", id="replay.back", tooltip="Back by a twentieth of the session"),
        Binding(
            "right", "seek(1)", "Forward", id="replay.forward", tooltip="On by a twentieth of the session"
        ),
        Binding(
            "shift+left", "step(-1)", "Back", show=False, id="replay.step_back", tooltip="Back by 10 seconds"
        ),
        Binding(
            "shift+right", "step(1)", "On", show=False, id="replay.step_forward", tooltip="On by 10 seconds"
        ),
        Binding(
            "plus,equals_sign", "speed(1)", "Faster", id="replay.faster", tooltip="Faster, 100 times at most"
        ),
        Binding("minus", "speed(-1)", "Slower", id="replay.slower", tooltip="Slower, down to real time"),
        *VIEW_KEYS,
    ]

    def __init__(self, folder: SessionFolder, feed: ReplayFeed, unicode: bool = True) -> None:
        super().__init__(folder, feed, unicode)
        self._plays = True
        self._target: float | None = None
        """The moment that is being sought."""

    def head(self) -> Iterable[Widget]:
        """The headline and the line of time."""
        yield from super().head()
        yield Timeline()

    def on_mount(self) -> None:
        """Begin to play."""
        super().on_mount()
        self._feed.play()

    def _draw_headline(self) -> None:
        super()._draw_headline()
        at = self._feed.position if self._target is None else self._target
        how = "at its end" if self._over else "" if self._plays else "paused"
        self.query_one(Timeline).draw(at, self._feed.duration, self._feed.speed, how)

    def state(self) -> str:
        """What becomes of the session, in a word."""
        return super().state() if self._over else "replay"

    # What the keys do

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The view is held still with the replay."""
        return action != "pause" and super().check_action(action, parameters)

    def action_play(self) -> None:
        """Hold the replay, or let it go on; from its end, from the start."""
        if self._over:
            self._plays = True
            self._seek(0.0)
            return
        self._plays = not self._plays
        self._follow_clock()
        self.redraw()

    def _follow_clock(self) -> None:
        if self._plays:
            self._feed.play()
        else:
            self._feed.pause()

    def action_seek(self, direction: int) -> None:
        """Back or on by a share of the session."""
        self._move(direction * STRIDE * self._feed.duration)

    def action_step(self, direction: int) -> None:
        """Back or on by some seconds."""
        self._move(direction * SMALL_STRIDE_SECONDS)

    @on(Timeline.Clicked)
    def _choose(self, message: Timeline.Clicked) -> None:
        self._seek(message.share * self._feed.duration)

    def action_speed(self, change: int) -> None:
        """The next speed up or down."""
        faster = [speed for speed in SPEEDS if speed > self._feed.speed]
        slower = [speed for speed in SPEEDS if speed < self._feed.speed]
        choices = faster[:1] if change > 0 else slower[-1:]
        if choices:
            self._feed.speed = choices[0]
            self.redraw()

    def _move(self, seconds: float) -> None:
        at = self._feed.position if self._target is None else self._target
        self._seek(at + seconds)

    def _seek(self, to: float) -> None:
        self._target = min(self._feed.duration, max(0.0, to))
        self._draw_headline()
        if self._ready:
            self._ready = False
            self._fold_to_target()

    @work(thread=True, exit_on_error=False)
    def _fold_to_target(self) -> None:
        """Fold on to the moment that is sought, or anew from the start: what was folded stays folded."""
        worker = get_current_worker()
        session, feed = self.session, self._feed
        while (target := self._target) is not None and not worker.is_cancelled:
            if target < session.elapsed:
                session, feed = Session(self.folder.name), feed.anew()
            feed.stand(target)
            for count, event in enumerate(feed.events()):
                session.apply(event)
                if count % CHECK_EVENTS == 0 and (self._target != target or worker.is_cancelled):
                    break
            else:
                self.post_message(SeekDone(session, feed))
                return

    @on(SeekDone)
    def _go_on_from(self, message: SeekDone) -> None:
        message.feed.speed = self._feed.speed
        self.session, self._feed, self._pending = message.session, message.feed, iter(())
        if self._feed.position != self._target:  # another moment was sought meanwhile
            self._fold_to_target()
            return
        self._target, self._ready = None, True
        self._over = self._feed.is_over()
        self._follow_clock()
        self._ticking.resume()
        self.refresh_bindings()
        self.redraw()

    def asks_before_quitting(self) -> bool:
        """There is nothing to lose."""
        return False

    def status(self) -> int:
        """A replay cannot fail."""
        return 0
