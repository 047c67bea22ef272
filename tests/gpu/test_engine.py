"""Overhead and counters of the engine, in one process without a session."""

from __future__ import annotations

import pytest

from .claims import HERE
from .conftest import Note, Parts
from .machine import Machine

PRELOAD = HERE.parent / "conductor" / "test_preload.py"


def test_every_step_is_reported_with_its_loss(parts: Parts) -> None:
    facts = parts["reporter"]
    assert facts["lost"] == 0
    assert facts["losses"] == [float(step) for step in range(facts["count"])]


@pytest.mark.usefixtures("gpu")
def test_reported_steps_add_up_to_the_wall_clock(parts: Parts, note: Note) -> None:
    facts = parts["reporter"]
    note(f"{facts['seconds']:.4f} and {facts['wall']:.4f} s")
    assert facts["seconds"] == pytest.approx(facts["wall"], rel=0.02)


@pytest.mark.usefixtures("gpu")
def test_the_engine_adds_at_most_3_percent_to_a_step(parts: Parts, note: Note) -> None:
    facts = parts["overhead"]
    note(f"{facts['ratio']:.4f} times a bare loop's {1e3 * facts['step']:.3f} ms")
    assert facts["ratio"] < 1.03


@pytest.mark.usefixtures("gpu")
def test_counting_hits_adds_at_most_5_percent_to_a_step_of_an_epoch(parts: Parts, note: Note) -> None:
    facts = parts["overhead"]
    note(f"{facts['tallied'] / facts['step']:.3f} times {1e3 * facts['step']:.3f} ms")
    assert facts["tallied"] / facts["step"] < 1.05


@pytest.mark.usefixtures("gpu")
def test_kernels_run_in_most_of_a_step_of_quickstart(parts: Parts, note: Note) -> None:
    facts = parts["quickstart"]
    if not facts["kernel_share"]:
        pytest.skip("the profiler of torch sees no kernels here")
    note(f"{100 * facts['kernel_share']:.0f}% of {1e3 * facts['step']:.3f} ms")
    assert facts["kernel_share"] > 0.7


@pytest.mark.usefixtures("gpu")
def test_peak_memory_is_exact_to_the_byte(parts: Parts) -> None:
    facts = parts["memory"]
    assert facts["over_held"] == facts["block"]
    assert facts["reserved"] >= facts["allocated"]


@pytest.mark.usefixtures("gpu")
def test_no_allocation_is_retried_while_memory_is_free(parts: Parts) -> None:
    assert parts["memory"]["retries"] == [0]


@pytest.mark.usefixtures("gpu")
def test_fsdp_in_bf16_keeps_no_16_bit_copies_of_its_weights(parts: Parts, note: Note) -> None:
    facts = parts["sharded"]
    copies = 2 * facts["parameters"]
    note(f"{facts['held'] >> 20} MiB between forward and backward; all weights are {copies >> 20} MiB")
    assert facts["held"] < copies / 2


def test_the_fork_server_leaves_cuda_alone(machine: Machine) -> None:
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", str(PRELOAD)]
    done = machine.run(words, "the test of the fork server", 90)
    assert done.returncode == 0, done.stdout + done.stderr
