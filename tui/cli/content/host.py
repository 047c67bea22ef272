"""The content of `doctor`: this machine as data for `--json`, and as text."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ....engine.analysis.report.machine import machine_report
from ....engine.host.facts import Host
from ....engine.host.findings import findings
from .listing import Listing


def host_listing(host: Host, sessions: Path) -> Listing:
    """List the hardware and software of a host, and what will limit a benchmark on it."""
    found = findings(host, sessions)
    data = {"host": msgspec.to_builtins(host), "findings": msgspec.to_builtins(found)}
    return Listing(data, machine_report(host, found))
