"""The replay of a recorded session in the monitor, at any speed, from any moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from ...engine.record.session import Session
from ...engine.record.session_folder import SessionFolder
from ..data.feed import ReplayFeed
from ..widgets.timeline import Timeline
from ..workers import in_thread
from .session_screen import VIEW_KEYS, SessionScreen

SPEEDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
STRIDE = 0.05
"""Share of the session that one key press seeks."""
SMALL_STRIDE_SECONDS = 10.0
CHECK_EVENTS = 256
"""Events folded between checks whether another moment is sought."""


@dataclass
class SeekDone(Message):
    """A seek has ended: the session as of that moment, and the feed from there on."""

    session: Session
    feed: ReplayFeed


class ReplayScreen(SessionScreen[ReplayFeed]):
    """Shows a recorded session as if it were running; it never changes the session."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play", "Pause", id="replay.pause", tooltip="Pause or resume the replay"),
        Binding("left", "seek(-1)", "Back", id="replay.back", tooltip="Back by 5% of the session"),
        Binding("right", "seek(1)", "Forward", id="replay.forward", tooltip="Forward by 5% of the session"),
        Binding(
            "shift+left", "step(-1)", "Back", show=False, id="replay.step_back", tooltip="Back by 10 seconds"
        ),
        Binding(
            "shift+right",
            "step(1)",
            "Forward",
            show=False,
            id="replay.step_forward",
            tooltip="Forward by 10 seconds",
        ),
        Binding(
            "plus,equals_sign", "speed(1)", "Faster", id="replay.faster", tooltip="Faster, up to 100x speed"
        ),
        Binding("minus", "speed(-1)", "Slower", id="replay.slower", tooltip="Slower, down to real time"),
        *VIEW_KEYS,
    ]

    def __init__(self, folder: SessionFolder, feed: ReplayFeed, unicode: bool = True) -> None:
        super().__init__(folder, feed, unicode)
        self._is_playing = True
        self._target: float | None = None
        """Moment being sought, in s; None if none is."""

    def head(self) -> Iterable[Widget]:
        """Yield the headline and the timeline."""
        yield from super().head()
        yield Timeline()

    def on_mount(self) -> None:
        """Start playing; Textual calls the handler of the base class too."""
        self._feed.play()

    def _draw_headline(self) -> None:
        super()._draw_headline()
        at = self._feed.position if self._target is None else self._target
        state = "at its end" if self._over else "" if self._is_playing else "paused"
        self.query_one(Timeline).draw(at, self._feed.duration, self._feed.speed, state)

    def state(self) -> str:
        """Return the state of the session in one word."""
        return super().state() if self._over else "replay"

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable Freeze: pausing the replay does the same."""
        return action != "pause" and super().check_action(action, parameters)

    def action_play(self) -> None:
        """Pause or resume; at the end, play from the start."""
        if self._over:
            self._is_playing = True
            self._seek(0.0)
            return
        self._is_playing = not self._is_playing
        self._follow_clock()
        self.redraw()

    def _follow_clock(self) -> None:
        if self._is_playing:
            self._feed.play()
        else:
            self._feed.pause()

    def action_seek(self, direction: int) -> None:
        """Seek by a share of the session."""
        self._move(direction * STRIDE * self._feed.duration)

    def action_step(self, direction: int) -> None:
        """Seek by some seconds."""
        self._move(direction * SMALL_STRIDE_SECONDS)

    @on(Timeline.Clicked)
    def _choose(self, message: Timeline.Clicked) -> None:
        self._seek(message.share * self._feed.duration)

    def action_speed(self, change: int) -> None:
        """Change to the next higher or lower speed."""
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

    @in_thread("seeking", feed=True)
    def _fold_to_target(self) -> None:
        """Fold events up to the moment being sought, from the start again if it lies in the past."""
        worker = get_current_worker()
        session, feed = self.session, self._feed
        while (target := self._target) is not None and not worker.is_cancelled:
            if target < session.elapsed:
                session, feed = Session(self.folder.name), feed.rewound()
            feed.pause_at(target)
            for count, event in enumerate(feed.events()):
                session.apply(event)
                if count % CHECK_EVENTS == 0 and (self._target != target or worker.is_cancelled):
                    break
            else:
                self.post_message(SeekDone(session, feed))
                return

    @on(SeekDone)
    def _resume_from(self, message: SeekDone) -> None:
        message.feed.speed = self._feed.speed
        self.session, self._feed, self._pending = message.session, message.feed, iter(())
        if self._feed.position != self._target:  # another moment has been sought meanwhile
            self._fold_to_target()
            return
        self._target, self._ready = None, True
        self._over = self._feed.is_over()
        self._follow_clock()
        self._ticking.resume()
        self.refresh_bindings()
        self.redraw()

    def asks_before_quitting(self) -> bool:
        """Return False: a replay has nothing to lose."""
        return False

    def status(self) -> int:
        """Return 0: a replay cannot fail."""
        return 0
