"""Multi-head attention and transformer blocks, before and after normalisation.

Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762). Written out instead of PyTorch's own
modules: those export badly, cannot add positions to queries and keys alone, and keep no cache.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from robot_learning.core.amounts import amount

Cache = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """softmax(q kᵀ / √d) v for several heads. Tokens are (B, S, width)."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} does not divide into {amount(heads, 'head')}")
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        for layer in (self.query, self.key, self.value):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        keep: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """The attended values, (B, S, width).

        Args:
            query: (B, S, width).
            key: (B, S', width).
            value: (B, S', width).
            keep: (B, 1, 1 or S, S') bool mask, True where attention may go; None for everywhere.
            causal: whether each query sees only the keys up to its own place.
        """
        queries = self.split(self.query(query)).expand(len(key), -1, -1, -1)
        return self.attend(queries, self.cache(key, value), keep, causal)

    def attend(
        self, queries: Tensor, cache: Cache, keep: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """As `forward`, with inputs that are projected and split into heads already.

        Args:
            queries: (B, heads, S, d).
            cache: keys and values, each (B, heads, S', d).
            keep: (B, 1, 1 or S, S') bool mask, True where attention may go; None for everywhere.
            causal: whether each query sees only the keys up to its own place.
        """
        dropout = self.dropout if self.training else 0.0
        found = functional.scaled_dot_product_attention(
            queries, *cache, attn_mask=keep, dropout_p=dropout, is_causal=causal
        )
        out: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return out

    def cache(self, key: Tensor, value: Tensor) -> Cache:
        """Keys and values of tokens, each (B, heads, S', d)."""
        return self.split(self.key(key)), self.split(self.value(value))

    def split(self, tokens: Tensor) -> Tensor:
        """(B, S, width) to (B, heads, S, d)."""
        return torch.unflatten(tokens, -1, (self.heads, -1)).transpose(1, 2)


def feed_forward(
    width: int, hidden: int, activation: Literal["relu", "gelu"], dropout: float
) -> nn.Sequential:
    """Two linear layers, applied to each token.

    Args:
        width: numbers in a token.
        hidden: units between the two layers.
        activation: what is between the two layers.
        dropout: share of units left out in training.
    """
    between: nn.Module = nn.ReLU() if activation == "relu" else nn.GELU()
    return nn.Sequential(
        nn.Linear(width, hidden), between, nn.Dropout(dropout), nn.Linear(hidden, width)
    )


class PostNormEncoderLayer(nn.Module):
    """Self-attention and feed-forward, each added and then normalised, as in the paper.

    Positions go to queries and keys only, at every layer, as DETR does.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.feed_forward = feed_forward(width, hidden, "relu", dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, positions: Tensor, keep: Tensor | None = None) -> Tensor:
        """(B, S, width).

        Args:
            tokens: (B, S, width).
            positions: (1 or B, S, width) added to queries and keys.
            keep: (B, 1, 1 or S, S) bool mask, True where attention may go; None for everywhere.
        """
        placed = tokens + positions
        found = self.attention(placed, placed, tokens, keep)
        tokens = self.norms[0](tokens + self.dropout(found))
        out: Tensor = self.norms[1](tokens + self.dropout(self.feed_forward(tokens)))
        return out


class PostNormDecoderLayer(nn.Module):
    """Self-attention among queries, attention to a memory, feed-forward; DETR's positions."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = Attention(width, heads, dropout)
        self.cross_attention = Attention(width, heads, dropout)
        self.feed_forward = feed_forward(width, hidden, "relu", dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, tokens: Tensor, query_positions: Tensor, memory: Tensor, positions: Tensor
    ) -> Tensor:
        """The tokens after the layer, (B, S, width).

        Args:
            tokens: (B, S, width).
            query_positions: (S, width) added to the tokens as queries and keys.
            memory: (B, S', width) that the tokens attend to.
            positions: (1 or B, S', width) added to the memory as keys.
        """
        tokens = self.after_self_attention(tokens, query_positions)
        return self.after_memory(tokens, query_positions, memory, positions)

    def after_self_attention(self, tokens: Tensor, query_positions: Tensor) -> Tensor:
        """The first third of the layer."""
        placed = tokens + query_positions
        found = self.self_attention(placed, placed, tokens)
        out: Tensor = self.norms[0](tokens + self.dropout(found))
        return out

    def begin(self, query_positions: Tensor, memory: Tensor, positions: Tensor) -> Tensor:
        """What the layer gives for tokens that are all zero, as the first layer's are.

        Attention averages values, and those of zeros are the bias: whatever the weights, each
        query gets the same. In evaluation mode this spares a fifth of a large decoder's work.

        Args:
            query_positions: (S, width) added to the tokens as queries and keys.
            memory: (B, S', width) that the tokens attend to.
            positions: (1 or B, S', width) added to the memory as keys.
        """
        if self.training:
            tokens = torch.zeros_like(query_positions).expand(len(memory), -1, -1)
            return self.forward(tokens, query_positions, memory, positions)
        same = self.norms[0](self.self_attention.out(self.self_attention.value.bias))
        tokens = same.expand_as(query_positions)
        return self.after_memory(tokens, query_positions, memory, positions)

    def after_memory(
        self, tokens: Tensor, query_positions: Tensor, memory: Tensor, positions: Tensor
    ) -> Tensor:
        """The other two thirds of the layer.

        Args:
            tokens: (B, S, width), or (S, width) for tokens that all samples share.
            query_positions: (S, width) added to the tokens as queries.
            memory: (B, S', width) that the tokens attend to.
            positions: (1 or B, S', width) added to the memory as keys.
        """
        if tokens.ndim < memory.ndim:
            tokens, query_positions = tokens.unsqueeze(0), query_positions.unsqueeze(0)
        found = self.cross_attention(tokens + query_positions, memory + positions, memory)
        tokens = self.norms[1](tokens + self.dropout(found))
        out: Tensor = self.norms[2](tokens + self.dropout(self.feed_forward(tokens)))
        return out


class PreNormBlock(nn.Module):
    """Normalisation first (GPT-2): causal self-attention, maybe a memory, feed-forward."""

    def __init__(self, width: int, heads: int, dropout: float, with_memory: bool) -> None:
        super().__init__()
        self.self_attention = Attention(width, heads, dropout)
        self.cross_attention = Attention(width, heads, dropout) if with_memory else None
        self.feed_forward = feed_forward(width, 4 * width, "gelu", dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if with_memory else 2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, memory: Cache | None = None) -> Tensor:
        """(B, S, width); `memory` is what `memory_cache` gave."""
        normed = self.norms[0](tokens)
        found = self.self_attention(normed, normed, normed, causal=True)
        return self._rest(tokens + self.dropout(found), memory)

    def step(self, token: Tensor, cache: Cache | None) -> tuple[Tensor, Cache]:
        """One token (B, 1, width) behind those that `cache` remembers."""
        normed = self.norms[0](token)
        key, value = self.self_attention.cache(normed, normed)
        if cache is not None:
            key = torch.cat([cache[0], key], dim=2)
            value = torch.cat([cache[1], value], dim=2)
        queries = self.self_attention.split(self.self_attention.query(normed))
        found = self.self_attention.attend(queries, (key, value))
        return self._rest(token + self.dropout(found), None), (key, value)

    def memory_cache(self, memory: Tensor) -> Cache | None:
        """Keys and values of the memory, which stay the same however often it is asked."""
        if self.cross_attention is None:
            return None
        return self.cross_attention.cache(memory, memory)

    def _rest(self, tokens: Tensor, memory: Cache | None) -> Tensor:
        if self.cross_attention is not None and memory is not None:
            queries = self.cross_attention.split(self.cross_attention.query(self.norms[1](tokens)))
            tokens = tokens + self.dropout(self.cross_attention.attend(queries, memory))
        last = self.norms[-1](tokens)
        out: Tensor = tokens + self.dropout(self.feed_forward(last))
        return out
