"""The notice of a session's end: a command of the user's, started without a shell."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from .context import UsageError, read_recorded

if TYPE_CHECKING:
    from ...engine.record.session_folder import SessionFolder

PATIENCE_SECONDS = 60.0
"""Time that the command may take."""
STANDARD_ERROR = 2
"""File descriptor of what the command prints: standard output is for results."""


class Notice(NamedTuple):
    """A command, given the session's name, its outcome and its headline as further arguments."""

    words: tuple[str, ...]
    """The command and its own arguments."""

    @classmethod
    def of(cls, text: str) -> Notice:
        """Return the notice of a `--notify`. Raises UsageError where no such command can be started."""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"--notify {text!r}: it cannot be split into words: {error}") from None
        if not words:
            raise UsageError("--notify: it names no command; expected one, as in --notify 'notify-send done'")
        found = shutil.which(words[0])
        if found is None:
            raise UsageError(
                f"--notify: there is no command {words[0]!r} that can be started; it is started without a "
                "shell"
            )
        return cls((found, *words[1:]))

    def give(self, folder: SessionFolder) -> None:
        """Start the command and wait for its end; what goes wrong is said, and changes nothing."""
        if not folder.path.exists():  # it could not be started, which was said
            return
        if folder.goes_on():
            _say("is not called: the session goes on")
            return
        try:
            outcome, headline = _ending(folder)
        except UsageError as error:
            outcome, headline = "interrupted", str(error)
        try:
            done = subprocess.run(
                [*self.words, folder.name, outcome, headline.replace("\0", "")],
                stdin=subprocess.DEVNULL,
                stdout=STANDARD_ERROR,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            _say(f"{self.words[0]} took longer than {PATIENCE_SECONDS:.0f} s and was ended")
        except (OSError, ValueError) as error:
            _say(f"{self.words[0]} could not be started: {getattr(error, 'strerror', None) or error}")
        else:
            if done.returncode:
                _say(f"{self.words[0]} failed with status {done.returncode}")


def _ending(folder: SessionFolder) -> tuple[str, str]:
    """Return how a session ended in a word, and its headline. Raises UsageError."""
    from ...engine.analysis.analysis import analyse

    session = read_recorded(folder)
    return session.outcome or "interrupted", analyse(session).headline


def _say(text: str) -> None:
    print(f"gpubench-tui: --notify: {text}", file=sys.stderr)
