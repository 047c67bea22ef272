"""Tokens and the sequences that are cut from them: in memory or in files, resident or through a loader."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from gpubench_tui.engine.plan.workload.token_files import open_token_files
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.data.tokens import (
    FileTokens,
    Span,
    check_known,
    open_tokens,
    synthetic_tokens,
    widened,
)
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.errors import NoDataError, TrainingError
from gpubench_tui.engine.training.parallel.modes import Shard
from gpubench_tui.engine.training.trainings.tokens import TokenTraining
from gpubench_tui.engine.training.trainings.training import Share


def write_tokens(path: Path, tokens: Sequence[int]) -> None:
    path.write_bytes(array("H", tokens).tobytes())


def share(batch: int, shard: Shard | None = None, workers: int = 0) -> Share:
    return Share(shard or Shard(), batch, CpuDevices(), workers, Path("unused"))


def test_synthetic_tokens_are_words_that_recur() -> None:
    train, test = synthetic_tokens(300, 8000, 20, seed=5)
    again, _ = synthetic_tokens(300, 8000, 20, seed=5)
    other, _ = synthetic_tokens(300, 8000, 20, seed=6)
    values = train.read(0, 8000)
    assert (len(train), len(test)) == (8000, 1600)
    assert torch.equal(values, again.read(0, 8000))
    assert not torch.equal(values, other.read(0, 8000))
    assert 0 <= values.min() < values.max() < 300
    words = Counter(tuple(word.tolist()) for word in values.view(-1, 8))
    assert len(words) == 75
    assert max(words.values()) < 40
    # Test words are those of training.
    assert {tuple(word.tolist()) for word in test.read(0, 1600).view(-1, 8)} <= words.keys()


def test_a_text_of_several_files_is_read_in_one_row(tmp_path: Path) -> None:
    content = {"a": b"0123456", "b": b"789", "c": b"abcdefghij"}
    for name, text in content.items():
        (tmp_path / name).write_bytes(text)
    row = b"".join(content.values())
    spans = tuple(Span(str(tmp_path / name), 0, len(text)) for name, text in content.items())
    tokens = FileTokens(spans, torch.uint8)
    assert len(tokens) == len(row)
    for first in range(len(row)):
        for count in range(1, len(row) - first + 1):
            assert bytes(tokens.read(first, count).tolist()) == row[first : first + count]
    part = FileTokens((Span(str(tmp_path / "c"), 4, 3),), torch.uint8)
    assert bytes(part.read(1, 2).tolist()) == b"fg"


def test_files_of_tokens_are_unsigned(tmp_path: Path) -> None:
    write_tokens(tmp_path / "train.bin", [0, 1, 32_767, 32_768, 65_535])
    stored = FileTokens((Span(str(tmp_path / "train.bin"), 0, 5),), torch.int16).read(0, 5)
    assert widened(stored).tolist() == [0, 1, 32_767, 32_768, 65_535]
    check_known(stored, 65_536, "here")
    with pytest.raises(TrainingError, match=r"here holds the token 65,535, and the vocabulary is 65,535"):
        check_known(stored, 65_535, "here")


def test_a_file_that_became_shorter_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"x" * 10)
    with pytest.raises(NoDataError, match="text became shorter"):
        FileTokens((Span(str(tmp_path / "text"), 0, 20),), torch.uint8).read(5, 10)
    with pytest.raises(NoDataError, match="gone cannot be read: No such file"):
        FileTokens((Span(str(tmp_path / "gone"), 0, 20),), torch.uint8).read(5, 10)


@pytest.mark.parametrize(("placement", "workers"), [("device", 0), ("loader", 0), ("loader", 2)])
def test_every_token_is_predicted_once_an_epoch(placement: str, workers: int, tmp_path: Path) -> None:
    """Each rank has its own sequences, and each overlaps the next by the token between them."""
    write_tokens(tmp_path / "train.bin", range(10, 51))
    write_tokens(tmp_path / "val.bin", range(100, 126))
    workload = Workload(
        training="tokens",
        model="gpt2",
        data="tokens",
        data_dir=str(tmp_path),
        sequence_length=5,
        placement=placement,  # type: ignore[arg-type]
    )
    seen, tested = [], []
    for rank in range(2):
        training = TokenTraining(workload)
        batches = training.open(share(2, Shard(rank, 2), workers), print)
        assert batches.steps_per_epoch == 2
        assert training.sizes == (40, 25)
        for batch in batches.train(0, 1):
            assert batch.shape == (2, 6)
            assert batch.dtype == torch.int64
            assert training.samples(batch) == 10
            seen += batch[:, 1:].flatten().tolist()
            assert torch.equal(batch[:, :-1] + 1, batch[:, 1:])
        for batch in batches.test():
            tested += batch[:, 1:].flatten().tolist()
    assert sorted(seen) == list(range(11, 51))
    assert sorted(tested) == list(range(101, 126))


@pytest.mark.parametrize("placement", ["device", "loader"])
def test_an_unknown_token_in_the_middle_of_a_large_file_is_found(placement: str, tmp_path: Path) -> None:
    """Planning looks at pieces; no step may see it, since a GPU would end the process."""
    size = 6_000_000
    row = array("H", [7] * size)
    row[40_000] = 300
    (tmp_path / "large.bin").write_bytes(row.tobytes())
    workload = Workload(
        training="tokens",
        model="gpt-tiny",
        data="tokens",
        data_dir=str(tmp_path / "large.bin"),
        sequence_length=size // 4,
        placement=placement,  # type: ignore[arg-type]
    )
    open_token_files(tmp_path / "large.bin", size // 4, 256)
    with pytest.raises(TrainingError, match=r"large\.bin holds the token 300, and the vocabulary is 256"):
        list(TokenTraining(workload).open(share(1), print).train(0, 1))


def test_missing_data_are_named_in_the_rank_too(tmp_path: Path) -> None:
    workload = Workload(training="tokens", model="gpt2", data="text", data_dir=str(tmp_path / "none"))
    with pytest.raises(NoDataError, match=r"data_dir: no file or folder .*none"):
        open_tokens(workload)


def test_too_few_sequences_for_a_step_are_counted() -> None:
    workload = Workload(training="tokens", model="gpt-tiny", sequence_length=10, tokens=101)
    with pytest.raises(TrainingError, match=r"10 sequences"):
        TokenTraining(workload).open(share(6, Shard(0, 2)), print)


def test_the_entropy_of_a_guess_is_the_logarithm_of_the_vocabulary() -> None:
    """A model without preference has that loss, in nats per token."""
    training = TokenTraining(Workload(training="tokens", model="gpt-tiny", sequence_length=4))
    loss, _ = training.loss(
        lambda tokens: torch.zeros(*tokens.shape, 256), training.example(3, torch.device("cpu"))
    )
    assert loss.item() == pytest.approx(math.log(256))
