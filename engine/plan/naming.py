"""Ids of runs, which name files."""

from __future__ import annotations

import re

from msgspec.structs import replace

from .plan import RunSpec

LONGEST_SLUG = 40
"""Characters of each part of a run's id at most."""


def with_id(spec: RunSpec, number: str, told: str) -> RunSpec:
    """Return a run with an id, as in `03-ddp-2x128-cnn-bf16`, as the first of its configuration.

    `told`: its values of the variables under test in words.
    """
    run_id = f"{number}-{spec.mode}-{spec.device_count}x{spec.workload.batch}"
    if "model" not in spec.varied:  # which names the workload where nothing else does
        titles = dict.fromkeys(workload.title.rpartition("/")[2] for workload in spec.workloads)
        run_id += f"-{_slug('-'.join(titles))}"
    if told:
        run_id += f"-{_slug(told)}"
    return replace(spec, id=run_id, configuration=run_id)


def _slug(text: str) -> str:
    """Return the last characters of a text that are fit for a file's name."""
    return re.sub(r"[^\w.+-]+", "-", text)[-LONGEST_SLUG:].strip("-")
