"""Every mode trains: measured, with losses that are numbers, by the backend that belongs to it."""

from __future__ import annotations

import os
import shutil

import pytest

from .conftest import Note
from .machine import Machine
from .recorded import RecordedRun, RecordedSession


def assert_backend(run: RecordedRun, expected: str) -> None:
    assert {rank.settings["backend"] for rank in run.state.ranks.values()} == {expected}


def backend_of_ranks(machine: Machine, devices: int) -> str:
    """Return the backend of so many ranks: NCCL where each has a GPU of its own."""
    return "cpu:gloo,cuda:nccl" if machine.has_gpu and devices <= len(machine.devices) else "gloo"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_one_device_trains_in_fp32_and_bf16(session: RecordedSession, precision: str, note: Note) -> None:
    run = session[f"single-{precision}"]
    run.assert_trained()
    note(run.summary)
    assert_backend(run, "none")


@pytest.mark.parametrize("precision", ["tf32", "fp16"])
def test_one_device_trains_in_tf32_and_fp16(session: RecordedSession, precision: str, note: Note) -> None:
    run = session[f"single-{precision}"]
    run.assert_trained()
    note(run.summary)
    assert_backend(run, "none")


def test_fp16_with_sgd_trains(session: RecordedSession, note: Note) -> None:
    run = session["fp16-sgd"]
    run.assert_trained()
    losses = run.state.loss.buckets()
    note(f"loss {losses[0].mean:.2f} to {losses[-1].mean:.2f}")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_ddp_of_one_rank_trains_in_fp32_and_bf16(
    session: RecordedSession, machine: Machine, precision: str, note: Note
) -> None:
    run = session[f"ddp1-{precision}"]
    run.assert_trained()
    note(run.summary)
    assert_backend(run, backend_of_ranks(machine, 1))


def test_ddp_of_one_rank_trains_in_fp16(session: RecordedSession, machine: Machine, note: Note) -> None:
    run = session["ddp1-fp16"]
    run.assert_trained()
    note(run.summary)
    assert_backend(run, backend_of_ranks(machine, 1))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_fsdp_of_one_rank_trains_in_fp32_and_bf16(
    session: RecordedSession, machine: Machine, precision: str, note: Note
) -> None:
    run = session[f"fsdp1-{precision}"]
    run.assert_trained()
    note(run.summary)
    assert_backend(run, backend_of_ranks(machine, 1))


def test_fsdp_of_one_rank_trains_in_fp16(session: RecordedSession, machine: Machine, note: Note) -> None:
    run = session["fsdp1-fp16"]
    run.assert_trained()
    note(run.summary)
    assert_backend(run, backend_of_ranks(machine, 1))


def test_fsdp_of_one_rank_trains_in_fp16_with_sgd(session: RecordedSession) -> None:
    session["fsdp1-fp16-sgd"].assert_trained()


def test_fsdp_gathers_weights_in_the_precision_of_the_run(session: RecordedSession, note: Note) -> None:
    for precision, bytes_each in (("fp32", 4), ("bf16", 2)):
        rank = session[f"fsdp1-{precision}"].state.ranks[0]
        gathered = sum(piece.bytes for piece in rank.pieces)
        note(f"{precision}: {gathered} bytes of {rank.parameters} weights")
        assert gathered == bytes_each * (rank.parameters or 0)


@pytest.mark.parametrize("label", ["dp2", "dp2-fp16"])
def test_dataparallel_trains_in_fp32_and_fp16(session: RecordedSession, label: str, note: Note) -> None:
    run = session[label]
    run.assert_trained()
    note(run.summary)
    assert_backend(run, "none")


def test_two_ranks_of_ddp_train(session: RecordedSession, machine: Machine, note: Note) -> None:
    run = session["ddp2"]
    run.assert_trained()
    note(run.summary)
    assert_backend(run, backend_of_ranks(machine, 2))


def test_two_ranks_of_fsdp_train(session: RecordedSession, machine: Machine, note: Note) -> None:
    run = session["fsdp2"]
    run.assert_trained()
    note(run.summary)
    assert_backend(run, backend_of_ranks(machine, 2))


def test_ranks_are_pinned_to_the_cores_near_their_device(session: RecordedSession, note: Note) -> None:
    state = session["ddp2"].state
    for rank, device in zip((0, 1), state.spec.devices, strict=True):
        if not device.cores:
            pytest.skip("which cores are near it is not known")
        note(f"rank {rank}: {len(device.cores)} cores")
        assert state.ranks[rank].settings["affinity"] == ",".join(map(str, sorted(device.cores)))


def test_two_trainings_run_side_by_side(session: RecordedSession) -> None:
    run = session["concurrent2"]
    run.assert_trained()
    assert [part.rank for part in run.result.parts] == [0, 1]


def test_a_loader_with_workers_feeds_a_training(session: RecordedSession, note: Note) -> None:
    run = session["loader"]
    run.assert_trained()
    note(run.summary)


def test_images_are_augmented_on_the_device(session: RecordedSession, note: Note) -> None:
    run = session["augment"]
    run.assert_trained()
    note(run.summary)


def test_epochs_are_trained_and_evaluated(session: RecordedSession, note: Note) -> None:
    run = session["epochs"]
    run.assert_trained()
    result = run.result
    note(f"{result.epochs} epochs, test accuracy {result.test_accuracy}")
    assert result.epochs == 2
    assert result.test_loss is not None


@pytest.mark.parametrize("mode", ["single", "ddp", "fsdp"])
def test_a_model_is_compiled_alone_under_ddp_and_under_fsdp(
    session: RecordedSession, mode: str, note: Note
) -> None:
    if not any(map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))):
        pytest.skip("triton needs a C compiler")
    run = session[f"compile-{mode}"]
    run.assert_trained()
    measured = run.state.ranks[0].measured
    assert measured is not None
    note(f"{mode}: {measured.compiled_graphs} graphs")
    assert measured.compiled_graphs
