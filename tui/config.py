"""The user's settings, a TOML file; mistakes in it never keep the app from starting."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs

from ..engine.text.files import make_private_folder, parse_toml, read_whole, user_path, write_private
from ..engine.text.plain import cut_in_middle
from ..engine.text.suggestions import nearest

THEMES = ("dark", "light")
NOTIFICATIONS = ("none", "osc9", "osc777")
PLACES = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
"""Variables that together do without a home folder."""


class Config(NamedTuple):
    """The effective settings: those of the file, defaults for the rest."""

    theme: str | None = None
    """`dark` or `light`; None for the one that the key for it left."""
    ascii: bool | None = None
    """Draw with plain ASCII; None to decide by the locale."""
    sessions_dir: Path | None = None
    """Folder of all sessions; None for the platform's state folder."""
    bell: bool = False
    """Whether the terminal's bell rings when a session has ended."""
    notification: str = "none"
    """Sequence by which a terminal is asked for a desktop notification when a session has ended."""
    window_title: bool = False
    """Whether the title of the terminal's window shows the progress of a session."""
    keys: Mapping[str, str] = {}
    """Keys by the id of their action, comma-separated, unchecked."""
    problems: tuple[str, ...] = ()
    """One sentence per invalid setting; such a setting keeps its default."""


def problem_with_home() -> str:
    """Return why there are no folders for what the program keeps, one sentence; empty if there are."""
    if user_path("~").is_absolute() or all(Path(os.environ.get(name, "")).is_absolute() for name in PLACES):
        return ""
    return (
        f"there is no home folder: HOME is {os.environ.get('HOME', 'not set')}, and the system does not know "
        f"the user {os.getuid()}; set HOME to a folder of yours, or {', '.join(PLACES)}"
    )


def config_path() -> Path:
    """Return the path of the user's config file, which need not exist."""
    return platformdirs.user_config_path("gpubench-tui") / "config.toml"


def _theme_file() -> Path:
    return platformdirs.user_state_path("gpubench-tui") / "theme"


def remembered_theme() -> str:
    """Return the theme that was in use last: `dark` at first."""
    try:
        return _theme(read_whole(_theme_file()).decode().strip()) or THEMES[0]
    except (OSError, UnicodeDecodeError):
        return THEMES[0]


def remember_theme(theme: str) -> None:
    """Keep the theme for the next start. Raises OSError."""
    make_private_folder(_theme_file().parent)
    write_private(_theme_file(), theme.encode())


def read_config(path: Path | None = None) -> Config:
    """Read a config file, by default the user's; mistakes end up in `problems`."""
    path = path or config_path()
    try:
        text = read_whole(path).decode()
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        return Config(problems=(f"{path}: cannot be read: {error}",))
    try:
        return _validated(path, parse_toml(text))
    except ValueError as error:
        return Config(problems=(f"{path}: is {error}",))


def _theme(value: object) -> str | None:
    return value if value in THEMES and isinstance(value, str) else None


def _notification(value: object) -> str | None:
    return value if value in NOTIFICATIONS and isinstance(value, str) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _folder(value: object) -> Path | None:
    return user_path(value) if isinstance(value, str) and value else None


def _keys(value: object) -> dict[str, str] | None:
    """Return the keys by id; TOML reads an unquoted `monitor.stop` as a table within a table."""
    if not isinstance(value, dict):
        return None
    keys: dict[str, str] = {}
    for name, given in value.items():
        inner = _keys(given) if isinstance(given, dict) else None
        if inner is not None:
            keys |= {f"{name}.{rest}": key for rest, key in inner.items()}
        elif isinstance(given, str):
            keys[name] = given
        else:
            return None
    return keys


_SETTINGS: Mapping[str, tuple[Callable[[object], object | None], str]] = {
    "theme": (_theme, '"dark" or "light"'),
    "ascii": (_flag, "true or false"),
    "sessions_dir": (_folder, "the path of a folder, in quotes"),
    "bell": (_flag, "true or false"),
    "notification": (_notification, '"none", "osc9" or "osc777"'),
    "window_title": (_flag, "true or false"),
    "keys": (_keys, 'a table of keys in quotes, as in "monitor.stop" = "x,ctrl+x"'),
}


def _validated(path: Path, content: Mapping[str, object]) -> Config:
    settings: dict[str, Any] = {}
    problems = []
    for name, given in content.items():
        if name not in _SETTINGS:
            problems.append(f"{path}: {cut_in_middle(name, 100)}: no such setting{nearest(name, _SETTINGS)}")
            continue
        read, allowed = _SETTINGS[name]
        value = read(given)
        if value is None:
            problems.append(f"{path}: {name}: expected {allowed}, got {cut_in_middle(repr(given), 100)}")
        else:
            settings[name] = value
    return Config(**settings, problems=tuple(problems))
