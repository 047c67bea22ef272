"""The `trend` command: the results of a preset on one machine over time."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from ....engine.record.exit_status import MEASURED
from ..arguments import add_format, add_sessions_dir
from ..context import Context, UsageError

if TYPE_CHECKING:
    from ....engine.analysis.sessions.trend_report import TrendFormat
    from ....engine.record.shelf import Shelf
    from ..arguments import Subparsers


def add_trend_command(subparsers: Subparsers) -> None:
    """Declare `trend`."""
    parser = subparsers.add_parser(
        "trend",
        help="show a preset's results on one machine over time, and what changed between sessions",
        epilog="Runs are matched as compare does; a run whose workload changed has a table of its own. The "
        "newest session comes first, each compared with the one before it.",
    )
    parser.add_argument(
        "preset", metavar="PRESET", help="name of a preset that has sessions, or a prefix of it"
    )
    parser.add_argument(
        "--host", metavar="NAME", help="machine of the sessions (default: that of the newest)"
    )
    add_format(parser, "text", "md", "csv", "json")
    add_sessions_dir(parser, must_exist=True)
    parser.set_defaults(command=print_trend)


def print_trend(context: Context, *, preset: str, host: str | None, format: TrendFormat) -> int:  # noqa: A002
    """Print the trend of a preset. Raises UsageError."""
    from ....engine.analysis.sessions.trend import read_trend
    from ....engine.analysis.sessions.trend_report import render_trend

    shelf = context.shelf()
    name = _preset_with_sessions(shelf, preset)
    trend = read_trend(shelf, name, host)
    if trend is None:
        raise UsageError(f"no session of {name} in {shelf.root} was measured on {host!r}")
    if not trend.lines:
        raise UsageError(f"no session of {name} on {trend.host} has a figure: {'; '.join(trend.left_out)}")
    sys.stdout.write(render_trend(trend, format, shutil.get_terminal_size((100, 24)).columns))
    return MEASURED


def _preset_with_sessions(shelf: Shelf, word: str) -> str:
    """Return the preset of that name or unique prefix among those with sessions. Raises UsageError."""
    from ....engine.analysis.sessions.trend import presets_on
    from ....engine.text.suggestions import nearest

    known = presets_on(shelf)
    if word in known:
        return word
    begun = [name for name in known if name.startswith(word)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise UsageError(f"{word!r} is the beginning of {', '.join(sorted(begun))}: type more of it")
    if not known:
        raise UsageError(f"{shelf.root} holds no session; gpubench-tui run {word} measures one")
    raise UsageError(f"no session in {shelf.root} is of a preset {word!r}{nearest(word, known)}")
