"""The library of preset files: those that come with the program, then the user's own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import platformdirs
from msgspec import Struct
from msgspec.structs import replace

from ...text.files import (
    fit_for_file_name,
    is_file,
    make_private_folder,
    read_whole,
    user_path,
    write_private,
)
from ...text.suggestions import nearest
from ...text.toml import toml_value
from ..workload.models import BUILT_IN_MODELS, TORCHVISION, own_function
from .changes import changed_keys
from .errors import PresetError
from .overrides import of_override, overridden_key
from .preset import Preset
from .read import read_preset

SHIPPED = "shipped:"
"""Prefix of the name of a preset of the program whose name one of the user's has."""


class PresetFile(Struct, frozen=True):
    """A preset file that can be read, or the file of a training of one's own."""

    name: str
    path: Path
    own: bool
    """Whether it is the user's, not the program's."""
    instead_of: str = ""
    """Name of the program's preset in whose place it is found by its name; empty for all others."""

    @property
    def stands_in(self) -> str:
        """Sentence that says so, without the full stop."""
        return f"{self.name} is your own preset {self.path}; {self.instead_of} is that of the program"

    def read(self, overrides: Sequence[str] = ()) -> Preset:
        """Read and validate it. Raises `PresetError`."""
        if self.path.suffix == ".py":
            return read_preset(preset_of_training(self.path), self.path.name, overrides, self.path.parent)
        try:
            text = read_whole(self.path).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise PresetError(str(self.path), "", f"cannot be read: {_reason(error)}") from None
        return read_preset(text, self.path.name, overrides, self.path.parent)

    def changes(self, overrides: Sequence[str]) -> dict[str, str]:
        """Return the keys that overrides change, each with its value as TOML. Raises `PresetError`."""
        if not overrides:
            return {}
        changed = self.read(overrides)
        try:
            return changed_keys(self.read(), changed)
        except PresetError:  # the file is valid with them alone
            return {overridden_key(each): each.partition("=")[2].strip() for each in overrides}


def preset_of_training(file: Path) -> str:
    """Return a preset as TOML that measures a training of one's own on one device and on all."""
    return f"""
title = {toml_value(file.name)}
question = {toml_value(f"How fast does {file.name} train here, and does it scale?")}

[workload]
training = {toml_value(file.name)}
batch = 32
optimizer = "adamw"
learning_rate = 0.001

[measure]
seconds = 10

[matrix]
modes = ["single", "ddp"]
devices = ["all"]
"""


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return str(error) if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)


def user_folder() -> Path:
    """Return the folder of the user's own presets."""
    return platformdirs.user_config_path("gpubench-tui") / "presets"


def own_file(title: str) -> PresetFile:
    """Return the file for a user's own preset of that title; ValueError where there can be none."""
    name = fit_for_file_name(title.lower())
    if not name:
        raise ValueError("a name needs a letter or a digit")
    if name in _shipped():
        raise ValueError(f"{name} comes with the program; choose another name")
    return PresetFile(name, user_folder() / f"{name}.toml", own=True)


def save(file: PresetFile, preset: Preset) -> None:
    """Write a user's own preset and replace an existing one; OSError when that is impossible."""
    from .write import write_preset  # late: the app's first paint does without

    make_private_folder(file.path.parent)
    fresh = file.path.with_suffix(".new")
    write_private(fresh, write_preset(preset).encode())
    fresh.replace(file.path)


def save_new(name: str, text: str) -> Path:
    """Write a preset of the user's own, as TOML, and return its path; OSError when that is impossible.

    Where there is one of that name already, whosever it is, the new one gets a number.
    """
    folder = user_folder()
    make_private_folder(folder)
    number = 1
    while True:
        stem = name if number == 1 else f"{name}-{number}"
        path = folder / f"{stem}.toml"
        number += 1
        if stem in _shipped():
            continue
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        try:
            with os.fdopen(file, "wb") as opened:
                opened.write(text.encode(errors="backslashreplace"))
        except OSError:
            path.unlink(missing_ok=True)  # half a preset is none
            raise
        return path


def _shipped() -> dict[str, PresetFile]:
    folder = Path(str(files("gpubench_tui.presets")))
    return {path.stem: PresetFile(path.stem, path, own=False) for path in sorted(folder.glob("*.toml"))}


def all_presets() -> list[PresetFile]:
    """Return every preset; a name that a user's own shares with one of the program's means the own one.

    That of the program is then named with a prefix.
    """
    found = _shipped()
    for path in sorted(user_folder().glob("*.toml")):
        other = found.get(path.stem)
        instead_of = f"{SHIPPED}{path.stem}" if other is not None else ""
        found[path.stem] = PresetFile(path.stem, path, own=True, instead_of=instead_of)
        if other is not None:
            found[instead_of] = replace(other, name=instead_of)
    first = [found.pop("quickstart")] if "quickstart" in found else []
    return first + sorted(found.values(), key=lambda preset: (preset.own, preset.name))


def refused_by_all(overrides: Sequence[str]) -> str:
    """Return why every preset of the program refuses settings, one sentence; empty if one takes them.

    Empty too if the reasons differ.
    """
    problems = set()
    for file in _shipped().values() if overrides else ():
        try:
            file.read(overrides)
        except PresetError as error:
            problems.add(str(of_override(error, overrides)))
        else:
            return ""
    return problems.pop() if len(problems) == 1 else ""


def find_preset(text: str) -> PresetFile:
    """Return the preset of that name, unique prefix of a name, or path. Raises `PresetError`.

    The path of a Python file is that of a training of one's own, which needs no preset.
    """
    presets = all_presets()
    for preset in presets:
        if preset.name == text:
            return preset
    if text.startswith(SHIPPED) and (shipped := _shipped().get(text.removeprefix(SHIPPED))):
        return shipped
    path = user_path(text)
    if path.suffix in (".toml", ".py") or "/" in text:
        if not is_file(path):
            raise PresetError(text, "", f"no such file{_as_a_model(text)}")
        return PresetFile(path.stem, path.resolve(), own=True)
    matches = [preset for preset in presets if text and preset.name.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise PresetError(text, "", f"matches several presets: {', '.join(each.name for each in matches)}")
    instead = _as_a_model(text) or nearest(text, [preset.name for preset in presets])
    raise PresetError(text, "", f"no such preset{instead}")


def _as_a_model(text: str) -> str:
    """Return how to train a model that was given in the place of a preset, as the end of a sentence."""
    if own_function(text) is None and text not in BUILT_IN_MODELS and not text.startswith(TORCHVISION):
        return ""
    return f"; to train that model: gpubench-tui run quickstart --set workload.model={text}"
