"""Language models as they are trained: what they learn, and that several ranks learn what one would."""

from __future__ import annotations

import math
import random
from pathlib import Path
from types import ModuleType

import pytest
import torch
from gpubench_tui.engine.plan.memory import block_bytes
from gpubench_tui.engine.plan.workload.language_models import LANGUAGE_MODELS
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.detail.compute import flop_per_step
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.models.language import build_without_weights, give_weights
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.parallel.modes import Shard
from gpubench_tui.engine.training.trainings.tokens import TokenTraining
from gpubench_tui.engine.training.trainings.training import Share

CPU = torch.device("cpu")


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny models of two blocks of width 64, which learn in seconds."""
    for name in ("gpt-tiny", "llama-tiny"):
        shape = LANGUAGE_MODELS[name]._replace(layers=2, width=64, hidden=160)
        monkeypatch.setitem(LANGUAGE_MODELS, name, shape)


def losses_of(workload: Workload, steps: int) -> list[float]:
    """The losses of a plain loop, and as the last the loss over the test set."""
    training = TokenTraining(workload)
    batches = training.open(Share(Shard(), workload.batch, CpuDevices(), 0, Path("unused")), print)
    model = training.build_model()
    training.give_weights(model, CPU)
    optimizer = training.make_optimizer(model, fused=False)
    losses = []
    for _, batch in zip(range(steps), batches.train(0, None), strict=False):
        loss, _ = training.loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    tally = training.new_tally(CPU)
    with torch.no_grad():
        for batch in batches.test():
            tally.add(*training.evaluate(model, batch), batch)
    tested, score = tally.read(Group())
    assert score is None
    return [*losses, tested]


@pytest.mark.slow
@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("model", ["gpt-tiny", "llama-tiny"])
def test_synthetic_tokens_are_learnt(model: str) -> None:
    """Loss in nats falls far below that of a guess, on tokens never seen too."""
    workload = Workload(
        training="tokens",
        model=model,
        sequence_length=64,
        tokens=100_000,
        batch=16,
        optimizer="adamw",
        learning_rate=5e-3,
    )
    losses = losses_of(workload, 120)
    assert losses[0] == pytest.approx(math.log(256), abs=0.15)
    assert losses[-1] < 0.5 * math.log(256)


@pytest.mark.slow
@pytest.mark.usefixtures("_small")
def test_bits_per_byte_of_a_text_fall(tmp_path: Path) -> None:
    dice = random.Random(0)
    words = [
        "one",
        "device",
        "trains",
        "alone,",
        "several",
        "share",
        "each",
        "batch",
        "and",
        "sum",
        "what",
        "they",
        "have",
        "found",
    ]
    sentences = (" ".join(dice.choices(words, k=12)).capitalize() + ".\n" for _ in range(5000))
    (tmp_path / "text.txt").write_text("".join(sentences))
    assert (tmp_path / "text.txt").stat().st_size > 300_000
    workload = Workload(
        training="tokens",
        model="llama-tiny",
        data="text",
        data_dir=str(tmp_path / "text.txt"),
        sequence_length=64,
        batch=16,
        optimizer="adamw",
        learning_rate=5e-3,
    )
    bits = [loss / math.log(2) for loss in losses_of(workload, 100)]
    assert bits[0] == pytest.approx(8, abs=0.2)
    assert bits[-1] < 2.5


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gpt-tiny", "llama-tiny"])
def test_two_ranks_train_as_one_process_on_the_joined_batch(
    model: str, ranks: ModuleType, tmp_path: Path
) -> None:
    """With fsdp in two passes, too, whose activations are computed anew."""
    saved = {}
    again = {"accumulate": 2, "checkpoint_activations": "every"}
    modes = (("single", 1, 8, {}), ("ddp", 2, 4, {}), ("fsdp", 2, 2, again))
    for mode, devices, batch, keys in modes if model == "gpt-tiny" else modes[::2]:
        workload = Workload(
            training="tokens",
            model=model,
            sequence_length=32,
            tokens=1300,
            batch=batch,
            learning_rate=0.05,
            **keys,
        )
        folder = tmp_path / mode
        done = ranks.launch(ranks.cpu_run(mode, devices, workload), folder, worker="ranks:take_steps")
        assert not done.failed, done.log.read_text()
        saved[mode] = [torch.load(folder / "meeting" / f"rank{rank}.pt") for rank in range(devices)]
    (single,) = saved.pop("single")
    for first, second in saved.values():
        for rank in (first, second):
            torch.testing.assert_close(rank["gradients"], single["gradients"], rtol=1e-3, atol=1e-5)
            torch.testing.assert_close(rank["weights"], single["weights"], rtol=1e-3, atol=1e-5)
            assert rank["evaluated"][0] == pytest.approx(single["evaluated"][0], rel=1e-4)
        means = [(a + b) / 2 for a, b in zip(first["losses"], second["losses"], strict=True)]
        assert means == pytest.approx(single["losses"], rel=1e-4)


@pytest.mark.parametrize("model", LANGUAGE_MODELS)
def test_the_flop_of_a_step_count_attention(model: str) -> None:
    """Six for each weight of a matrix and token, and those of attention, as if no token were masked."""
    shape, batch, length = LANGUAGE_MODELS[model], 2, 64
    training = TokenTraining(Workload(training="tokens", model=model, sequence_length=length))
    matrices = shape.layers * shape.block_matrices + shape.vocabulary * shape.width
    attention = 12 * shape.layers * shape.width * length
    assert flop_per_step(training, batch) == (6 * matrices + attention) * batch * length


@pytest.mark.parametrize(("precision", "mixes"), [("fp32", True), ("bf16", True), ("bf16", False)])
@pytest.mark.parametrize("name", ["gpt-tiny", "llama-tiny"])
def test_planned_activations_are_those_that_autograd_keeps(
    name: str, precision: str, mixes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of one block more, on a CPU; fsdp computes in 16 bits throughout, and mixes nothing."""
    shape = LANGUAGE_MODELS[name]
    tokens = torch.zeros(2, 128, dtype=torch.int64)

    def kept(layers: int) -> int:
        monkeypatch.setitem(LANGUAGE_MODELS, name, shape._replace(layers=layers))
        model = build_without_weights(name, 256)
        give_weights(model, model, CPU, 0)
        model = model if precision == "fp32" or mixes else model.bfloat16()
        own = {parameter.data_ptr() for parameter in model.parameters()}
        found: dict[int, torch.Tensor] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            # What autocast makes of a weight is as large as this and the same for every batch.
            if tensor.untyped_storage().data_ptr() not in own:
                found[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16" and mixes),
        ):
            model(tokens)
        return sum(tensor.untyped_storage().nbytes() for tensor in found.values())

    weights = 2 * shape.block_matrices if precision == "bf16" and mixes else 0
    planned = block_bytes(shape, Workload(precision=precision), mixes=mixes)  # type: ignore[arg-type]
    assert kept(2) - kept(1) - weights == pytest.approx(planned * tokens.numel(), rel=0.02)
