"""The user's settings: a TOML file that can make the app comfortable, and never keep it from starting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import platformdirs

from ..engine.text.suggestions import nearest

if TYPE_CHECKING:
    pass

THEMES = ("dark", "light")


class Config(NamedTuple):
    """What the file says, the rest as it is without one."""

    theme: str = "dark"
    """`dark` or `light`."""
    ascii: bool | None = None
    """Whether the terminal shows nothing but ASCII; None: told by its locale."""
    sessions_dir: Path | None = None
    """Where sessions are kept; None for the platform's place."""
    keys: Mapping[str, str] = {}
    """Keys by the id of what they do, several with commas between them; what they mean is not checked."""
    problems: tuple[str, ...] = ()
    """What is wrong with the file, a sentence each; what they are about is as it is without the file."""


def config_path() -> Path:
    """Where the file is looked for."""
    return platformdirs.user_config_path("gpubench-tui") / "config.toml"


def read_config(path: Path | None = None) -> Config:
    """Read the file, by default the user's; what is wrong with it is said in `problems`."""
    path = path or config_path()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        return Config(problems=(f"{path}: cannot be read: {error}",))
    import tomllib

    try:
        return _validated(path, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        return Config(problems=(f"{path}: is no TOML: {error}",))


def _theme(value: object) -> str | None:
    return value if value in THEMES and isinstance(value, str) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _folder(value: object) -> Path | None:
    return Path(value).expanduser() if isinstance(value, str) and value else None


def _keys(value: object) -> dict[str, str] | None:
    """The keys by id; TOML makes a table of a table of `monitor.stop` without quotes."""
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
    "keys": (_keys, 'a table of keys in quotes, as in "monitor.stop" = "x,ctrl+x"'),
}


def _validated(path: Path, content: Mapping[str, object]) -> Config:
    settings: dict[str, Any] = {}
    problems = []
    for name, given in content.items():
        if name not in _SETTINGS:
            problems.append(f"{path}: {name}: no such setting{nearest(name, _SETTINGS)}")
            continue
        read, allowed = _SETTINGS[name]
        value = read(given)
        if value is None:
            problems.append(f"{path}: {name}: expected {allowed}, got {given!r}")
        else:
            settings[name] = value
    return Config(**settings, problems=tuple(problems))
