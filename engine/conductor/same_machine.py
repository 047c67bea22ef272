"""Comparison of this machine, and this program, with those that a session was measured by."""

from __future__ import annotations

from ..host.differences import host_differences
from ..host.facts import Host
from ..host.inspect import inspect_host
from .recorder import program_version


def inspect_again(before: Host, program: str) -> tuple[Host, list[str]]:
    """Return this machine, with the GPUs that a session was given, and how machine and program differ now.

    `program`: the version of gpubench-tui that recorded the session; empty where nothing is recorded.
    """
    try:
        here = inspect_host([gpu.index for gpu in before.gpus] or None)
    except ValueError as error:
        return before, [str(error)]
    differences = host_differences(before, here)
    if program and program != program_version():
        differences.append(f"gpubench-tui: {program_version()} against {program}")
    return here, differences
