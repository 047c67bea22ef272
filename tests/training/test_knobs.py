"""Settings that change how ranks work together change nothing of what they compute."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from gpubench_tui.engine.plan.workload.workload import Workload
from knobs import CASES, CLIP

pytestmark = pytest.mark.slow

EXACT, FP16, BF16 = 1e-5, 2e-3, 2e-2
"""Differences of gradients, relative to the largest of a parameter, that summation and rounding explain."""
PARAMETERS = 47_578


@pytest.fixture(scope="module")
def trained(ranks: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two ranks saved of every case."""
    folder = tmp_path_factory.mktemp("knobs")
    done = ranks.launch(ranks.cpu_run("ddp", 2, Workload(model="lenet")), folder, worker="knobs:train_all")
    assert not done.failed, done.log.read_text()
    return [torch.load(folder / "meeting" / f"rank{rank}.pt") for rank in range(2)]


def reference(name: str) -> str:
    """The training on one device that a case must equal."""
    for other in ("tokens", "changing"):
        if other in name:
            return other
    if "clipped" in name:
        return "clipped"
    return "long" if "accumulated" in name or name == "long" else "single"


def tolerance(name: str) -> float:
    if "half precision" in name:
        return BF16
    compressed = name in CASES and CASES[name][1].get("compress_gradients")
    return BF16 if "bf16" in (compressed, CASES[name][1].get("precision")) else FP16 if compressed else EXACT


@pytest.mark.parametrize("name", list(CASES))
def test_gradients_and_losses_are_those_of_one_device_on_the_joined_batch(
    trained: list[dict[str, Any]], name: str
) -> None:
    alone = trained[0][reference(name)]
    for rank in trained:
        for ours, theirs in zip(rank[name]["gradients"], alone["gradients"], strict=True):
            for gradient, expected in zip(ours, theirs, strict=True):
                error = (gradient - expected).abs().max()
                assert error <= tolerance(name) * expected.abs().max()
    means = [
        sum(losses) / len(losses) for losses in zip(*(rank[name]["losses"] for rank in trained), strict=True)
    ]
    assert means == pytest.approx(alone["losses"], rel=tolerance(name))


def test_ranks_end_with_the_same_weights(trained: list[dict[str, Any]]) -> None:
    first, second = trained
    for name in CASES:
        assert all(map(torch.equal, first[name]["weights"], second[name]["weights"])), name


@pytest.mark.parametrize(
    ("name", "count", "size"),
    [
        ("ddp", 1, 4),
        ("small buckets", 3, 4),
        ("views", 1, 4),
        ("fp16 gradients", 1, 2),
        ("bf16 gradients", 1, 2),
        ("fp16 gradients in small views", 3, 2),
        ("accumulated ddp", 1, 4),
        ("accumulated ddp, fp16 gradients", 1, 2),
    ],
)
def test_buckets_are_as_many_and_as_large_as_asked(
    trained: list[dict[str, Any]], name: str, count: int, size: int
) -> None:
    for rank in trained:
        buckets = rank[name]["buckets"]
        assert len(buckets) == count
        assert sum(buckets) == size * PARAMETERS


def test_clipped_gradients_are_the_others_scaled_to_the_norm(trained: list[dict[str, Any]]) -> None:
    """In the first step, which all take from the same weights."""
    plain = trained[0]["single"]["gradients"][0]
    norm = float(torch.cat([gradient.flatten() for gradient in plain]).norm())
    assert norm > 2 * CLIP
    for gradient, expected in zip(trained[0]["clipped"]["gradients"][0], plain, strict=True):
        assert torch.allclose(gradient, expected * CLIP / norm, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", [name for name, (mode, _) in CASES.items() if mode == "fsdp"])
def test_fsdp_sends_what_its_pieces_say(trained: list[dict[str, Any]], name: str) -> None:
    for rank in trained:
        assert rank[name]["sent"] == rank[name]["expected"]
