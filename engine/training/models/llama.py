"""Llama 3 in plain torch (Grattafiori et al. 2024).

Its parts: RMSNorm, SwiGLU, rotary positions and grouped-query attention.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from ...plan.workload.language_models import LanguageModel

NORM_EPSILON = 1e-5


class GroupedAttention(nn.Module):
    """Causal self-attention in which several heads of queries share one of keys and values."""

    def __init__(self, shape: LanguageModel) -> None:
        super().__init__()
        self.head_width = shape.head_width
        self.is_grouped = shape.key_value_heads < shape.heads
        self.queries = nn.Linear(shape.width, shape.width, bias=False)
        self.keys = nn.Linear(shape.width, shape.key_value_width, bias=False)
        self.values = nn.Linear(shape.width, shape.key_value_width, bias=False)
        self.project = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x: Tensor, rotations: Tensor) -> Tensor:
        """Return a tensor of the same shape, (batch, tokens, width)."""
        q, k, v = (self._heads(layer(x)) for layer in (self.queries, self.keys, self.values))
        q, k = rotated(q, rotations), rotated(k, rotations)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.is_grouped)
        out: Tensor = self.project(mixed.transpose(1, 2).flatten(2))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        """Return (batch, heads, tokens, head width)."""
        return x.view(*x.shape[:2], -1, self.head_width).transpose(1, 2)


class GatedPerceptron(nn.Module):
    """SwiGLU: a layer gated by another, and a third back to the width of the model."""

    def __init__(self, shape: LanguageModel) -> None:
        super().__init__()
        self.gate = nn.Linear(shape.width, shape.hidden, bias=False)
        self.expand = nn.Linear(shape.width, shape.hidden, bias=False)
        self.project = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape, (batch, tokens, width)."""
        out: Tensor = self.project(F.silu(self.gate(x)) * self.expand(x))
        return out


class LlamaBlock(nn.Module):
    """Attention and a gated perceptron, each behind a norm and beside a shortcut."""

    def __init__(self, shape: LanguageModel) -> None:
        super().__init__()
        self.norm1 = nn.RMSNorm(shape.width, eps=NORM_EPSILON)
        self.attention = GroupedAttention(shape)
        self.norm2 = nn.RMSNorm(shape.width, eps=NORM_EPSILON)
        self.perceptron = GatedPerceptron(shape)

    def forward(self, x: Tensor, rotations: Tensor) -> Tensor:
        """Return a tensor of the same shape, (batch, tokens, width)."""
        x = x + self.attention(self.norm1(x), rotations)
        out: Tensor = x + self.perceptron(self.norm2(x))
        return out


class Llama(nn.Module):
    """A Llama of any size, with the matrix of its outputs tied to the tokens' embedding or not."""

    def __init__(self, shape: LanguageModel, vocabulary: int) -> None:
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(vocabulary, shape.width)
        self.blocks = nn.ModuleList(LlamaBlock(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=NORM_EPSILON)
        self.head = nn.Linear(shape.width, vocabulary, bias=False)
        if shape.tied:
            self.head.weight = self.tokens.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (batch, length) to logits (batch, length, vocabulary)."""
        rotations = rotations_of(tokens.shape[1], self.shape, tokens.device)
        x = self.tokens(tokens)
        for block in self.blocks:
            x = block(x, rotations)
        logits: Tensor = self.head(self.norm(x))
        return logits


def rotations_of(length: int, shape: LanguageModel, device: torch.device) -> Tensor:
    """Return cosine and sine of each position's angles, (2, length, head width / 2), as the bits of float32.

    Mixed precision casts what a sharded block is given to 16 bits, which are too few for angles; integers it
    leaves alone.
    """
    half = shape.head_width // 2
    exponents = torch.arange(half, device=device, dtype=torch.float32) / half
    places = torch.arange(length, device=device, dtype=torch.float32)
    angles = places[:, None] * shape.rope_base**-exponents
    return torch.stack([angles.cos(), angles.sin()]).view(torch.int32)


def rotated(x: Tensor, rotations: Tensor) -> Tensor:
    """Turn the pairs of values of every token (…, tokens, head width) by the angles of its position."""
    cosine, sine = rotations.view(torch.float32)
    first, second = x.float().chunk(2, dim=-1)
    turned = (first * cosine - second * sine, second * cosine + first * sine)
    return torch.cat(turned, dim=-1).to(x.dtype)
