"""Awkward models of one's own: together in every mode they train as one process does on the joined batch."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from crew import OUTPUTS
from gpubench_tui.engine.plan.workload.workload import Workload

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(torch.cpu.Stream, "record_event"), reason="fsdp needs torch 2.7 on CPUs"),
]

FILE = Path(__file__).with_name("awkward.py")
ALIKE = (
    *("table", "record", "library", "two heads", "scalar", "frozen", "tied", "counting", "mixed types"),
    *("in place", "in place by hand", "unused", "dropped", "experts", "parts", "double", "groups"),
)
"""Models of which every mode computes the same."""
UNUSED = ("unused", "dropped", "dropped by rank", "experts")
REFUSED = {
    "sparse": "fsdp cannot reduce sparse gradients, which the layer table makes",
    "outside": "awkward.py:{line}, in forward: ",
    "turned": "the ranks of fsdp must call the same blocks in the same order, and did not (rank 0: blocks.",
}
"""Models that fsdp cannot train, and what is said."""
REMEDY = "call the block itself, or set workload.find_unused_parameters = true"
LOOSE = ("dropped by rank", "bfloat16")
"""Models that train in every mode, and round or choose differently."""
ONLY_FSDP = "dropped alike"
"""A model that leaves out layers by torch's random numbers, without being told that some may be unused."""


@pytest.fixture(scope="module")
def found(ranks: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """By rank, what came of each kind in each mode: losses and weights, or a sentence."""
    folder = tmp_path_factory.mktemp("crew")
    workloads = [
        Workload(
            name=kind,
            training=str(FILE),
            arguments={"kind": kind},
            batch=4,
            precision="bf16" if kind == "double" else "fp32",  # which leaves a type of the model's own alone
            find_unused_parameters=kind in UNUSED,
        )
        for kind in (*ALIKE, *REFUSED, *LOOSE, ONLY_FSDP)
    ]
    done = ranks.launch(ranks.cpu_run("ddp", 2, workloads), folder, worker="crew:compare_modes")
    assert not done.failed, done.log.read_text()
    return [torch.load(folder / "meeting" / f"rank{rank}.pt") for rank in range(2)]


def plain(name: str) -> str:
    """The name of a weight without what fsdp makes of a scalar."""
    return name.replace("parametrizations.", "").replace(".original", "")


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(kind, mode) for kind in ALIKE for mode in ("ddp", "fsdp") if mode == "ddp" or kind not in OUTPUTS],
)
def test_ranks_train_as_one_process(kind: str, mode: str, found: list[dict[str, Any]]) -> None:
    single, *ranks = found[0][f"{kind}, single"], *(each[f"{kind}, {mode}"] for each in found)
    assert all(isinstance(each, dict) for each in (single, *ranks)), (single, ranks)
    means = [sum(losses) / 2 for losses in zip(*(each["losses"] for each in ranks), strict=True)]
    assert means == pytest.approx(single["losses"], rel=1e-4)
    assert ranks[0]["losses"] != ranks[1]["losses"]
    for each in ranks:
        weights = {plain(name): weight for name, weight in each["weights"].items()}
        assert weights.keys() == single["weights"].keys()
        for name, weight in single["weights"].items():
            torch.testing.assert_close(weights[name].reshape(weight.shape), weight, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_fsdp_cannot_train_is_told_with_what_to_change(kind: str, found: list[dict[str, Any]]) -> None:
    for each in found:
        assert isinstance(each[f"{kind}, single"], dict) and isinstance(each[f"{kind}, ddp"], dict)
        said = each[f"{kind}, fsdp"]
        assert isinstance(said, str)
        assert REFUSED[kind].partition("{")[0] in said
        assert kind != "outside" or REMEDY in said


@pytest.mark.parametrize("kind", LOOSE)
def test_what_rounds_or_chooses_differently_trains_in_every_mode(
    kind: str, found: list[dict[str, Any]]
) -> None:
    for mode in ("single", "ddp", "fsdp"):
        assert all(isinstance(each[f"{kind}, {mode}"], dict) for each in found)


def test_ranks_of_fsdp_leave_out_the_same_layers(found: list[dict[str, Any]]) -> None:
    assert all(isinstance(each[f"{ONLY_FSDP}, fsdp"], dict) for each in found)
