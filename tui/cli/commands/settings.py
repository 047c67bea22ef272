"""The `config` command: the effective settings, printed as a config file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ....engine.record.exit_status import BAD_USAGE, MEASURED
from ...config import THEMES, Config, config_path
from ..context import Context

if TYPE_CHECKING:
    from ...keymap import DeclaredBinding
    from ..arguments import Subparsers


def add_config_command(subparsers: Subparsers) -> None:
    """Declare `config`."""
    parser = subparsers.add_parser("config", help="print your settings, all keys, and the config file's path")
    parser.set_defaults(command=print_config)


def print_config(context: Context) -> int:
    """Print the effective settings as a config file; return 2 if the present one has mistakes."""
    from ....engine.record.shelf import default_root
    from ...app import GpubenchApp
    from ...keymap import check_keys, declared_bindings

    config = context.config
    bindings = declared_bindings(GpubenchApp)
    keys, problems = check_keys(config.keys, bindings)
    for problem in problems:
        print(f"gpubench-tui: {config_path()}: {problem}", file=sys.stderr)
    sys.stdout.write(config_text(config._replace(keys=keys), default_root(), bindings.values()))
    return BAD_USAGE if problems or config.problems else MEASURED


def config_text(config: Config, default_root: Path, bindings: Iterable[DeclaredBinding]) -> str:
    """Render the effective settings as a config file, with defaults commented out."""
    path = config_path()
    absent = "" if path.exists() else " (does not exist; save this output to create it)"
    lines = [
        f"# {path}{absent}",
        "# Lines that begin with # show the defaults.",
        _setting("theme", config.theme, None, 'or "light"; default: the one last used', THEMES[0]),
        _setting(
            "ascii", config.ascii, None, "draw with plain ASCII; default: only if the locale is not UTF-8"
        ),
        _setting("sessions_dir", config.sessions_dir, None, "folder of all sessions", default_root),
        _setting("bell", config.bell, Config().bell, "ring the terminal's bell when a session has ended"),
        _setting(
            "notification",
            config.notification,
            Config().notification,
            'or "osc9" or "osc777": ask the terminal for a desktop notification then',
        ),
        _setting(
            "window_title", config.window_title, Config().window_title, "show progress in the window's title"
        ),
        "",
        "[keys]",
    ]
    for binding in bindings:
        default = ",".join(binding.keys)
        lines.append(_setting(binding.id, config.keys.get(binding.id, default), default, binding.tooltip))
    return "\n".join(lines) + "\n"


def _setting(name: str, value: object, default: object, comment: str, if_none: object = True) -> str:
    """Render one setting, commented out if it has its default; `if_none` is printed in place of None."""
    printed = if_none if value is None else value
    text = json.dumps(printed if isinstance(printed, bool) else str(printed), ensure_ascii=False)
    setting = f"{'# ' if value == default else ''}{name} = {text}"
    return f"{setting:<40}  # {comment}"
