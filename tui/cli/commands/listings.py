"""The commands that list: `presets`, `doctor` and `sessions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....engine.record.exit_status import MEASURED
from ..arguments import add_plan_options, add_sessions_dir
from ..context import Context, UsageError

if TYPE_CHECKING:
    from ..arguments import Subparsers
    from ..content.listing import Listing


def add_listing_commands(subparsers: Subparsers) -> None:
    """Declare `presets`, `doctor` and `sessions`."""
    presets = subparsers.add_parser(
        "presets", help="list what can be run here, what would be skipped, and why"
    )
    presets.add_argument(
        *("preset",),
        metavar="PRESET",
        nargs="?",
        help="print this one as TOML, with every key and what it means; by name, unique prefix or path",
    )
    presets.add_argument("--keys", action="store_true", help="list all keys of presets, and all models")
    add_plan_options(presets)
    presets.set_defaults(command=list_presets)
    doctor = subparsers.add_parser(
        "doctor", help="show hardware, links and versions, and what will limit a benchmark here"
    )
    doctor.set_defaults(command=list_host)
    sessions = subparsers.add_parser("sessions", help="list past and running sessions, newest first")
    sessions.add_argument(
        "--find", metavar="TEXT", default="", help="only sessions whose line contains all these words"
    )
    sessions.set_defaults(command=list_sessions)
    for parser in (presets, doctor, sessions):
        parser.add_argument("--json", action="store_true", help="print JSON")
        add_sessions_dir(parser, must_exist=parser is sessions)


def list_presets(context: Context, *, preset: str | None, keys: bool, json: bool) -> int:
    """Print every preset with its plan for this machine, one preset, or all keys. Raises UsageError."""
    from ....engine.plan.preset.errors import PresetError
    from ..content.listing import preset_listing
    from ..content.presets import key_listing, one_preset

    if keys:
        return _print_listing(key_listing(), json)
    if preset is not None:
        try:
            return _print_listing(one_preset(preset, context.overrides), json)
        except PresetError as error:
            raise UsageError(str(error)) from None
    context.check_overrides()
    return _print_listing(preset_listing(context.inspect_host(), context.overrides, context.shelf()), json)


def list_host(context: Context, *, json: bool) -> int:
    """Print this machine, and what will limit a benchmark on it. Raises UsageError."""
    from ..content.host import host_listing

    return _print_listing(host_listing(context.inspect_host(), context.shelf().root), json)


def list_sessions(context: Context, *, find: str, json: bool) -> int:
    """Print all sessions on the shelf, or those in whose line every word of `find` occurs."""
    from ..content.listing import session_listing

    return _print_listing(session_listing(context.shelf(), find), json)


def _print_listing(listing: Listing, as_json: bool) -> int:
    if as_json:
        from ....engine.text.encoding import json_document

        print(json_document(listing.data), end="")
    else:
        print(listing.text)
    return MEASURED
