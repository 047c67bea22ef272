"""Training of language models: each token of a sequence is to be told from those before it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from ...plan.workload.language_models import vocabulary_of
from ...plan.workload.token_files import sequences_in
from ...plan.workload.workload import Workload
from ..data.datasets import Note
from ..data.loader import BatchSampler
from ..data.sequences import make_sequences
from ..data.tokens import Tokens, check_same_spans, open_tokens
from ..models.gpt2 import Gpt2
from ..models.language import build_without_weights, give_weights
from ..models.llama import Llama
from ..parallel.group import Group
from .mean_tally import MeanTally
from .training import Batches, Share, Training


class TokenTraining(Training):
    """Sequences of tokens, and the cross-entropy of a model's logits in nats per token.

    A batch is one tensor of int64, (batch, length + 1): its last tokens are only told, its first only given.
    """

    unit = "tokens"

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self._sets: tuple[Tokens, Tokens] | None = None
        self._model: Gpt2 | Llama | None = None

    def open(self, share: Share, note: Note) -> Batches:
        """Implement `Training`."""
        note("reading tokens")
        self._sets = open_tokens(self.workload)
        sequences = sequences_in(len(self._sets[0]), self.workload.sequence_length)
        sampler = BatchSampler(share.shard, sequences, share.batch, self.workload.seed, "sequences")
        return make_sequences(self._sets, sampler, self.workload, share.devices, share.workers)

    @property
    def sets(self) -> tuple[Tokens, Tokens]:
        """The training set and the test set, once open."""
        assert self._sets is not None, "open() comes first"
        return self._sets

    @property
    def sizes(self) -> tuple[int, int]:
        """Implement `Training`; what fills no sequence does not count."""
        length = self.workload.sequence_length
        train, test = (sequences_in(len(part), length) * length for part in self.sets)
        return train, test

    def check_alike(self, group: Group) -> None:
        """Implement `Training`."""
        check_same_spans(self.sets, group)

    def build_model(self) -> nn.Module:
        """Return the model on the meta device: each part gets its weights where it is to lie."""
        self._model = build_without_weights(self.workload.model, vocabulary_of(self.workload))
        return self._model

    def give_weights(self, part: nn.Module, device: torch.device) -> None:
        """Implement `Training`."""
        assert self._model is not None, "build_model() comes first"
        give_weights(self._model, part, device, self.workload.seed)

    def build_meta_model(self) -> nn.Module:
        """Implement `Training`."""
        return build_without_weights(self.workload.model, vocabulary_of(self.workload))

    def loss(self, model: nn.Module, batch: Tensor) -> tuple[Tensor, Any]:
        """Implement `Training`."""
        logits = model(batch[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten()), None

    def samples(self, batch: Tensor) -> int:
        """Implement `Training`."""
        return batch[:, 1:].numel()

    def new_tally(self, device: torch.device) -> MeanTally:
        """Implement `Training`."""
        return MeanTally(device, self.samples)

    def example(self, size: int, device: torch.device) -> Tensor:
        """Implement `Training`."""
        length = self.workload.sequence_length + 1
        return torch.zeros(size, length, dtype=torch.int64, device=device)
