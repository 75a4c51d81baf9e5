"""The transformer encoder both families are made of, read out at its last step.

Only the last step of the last layer is ever read, so only that one is computed: its query attends
to every step, and the feed-forward part sees one row instead of ``t``. The outputs are the same; of
two layers a third of the work is gone. torch's own layer is not used, since its fused fast path
stands in the way of tracing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import torch
from torch import nn

MakeLinear = Callable[[int, int], nn.Module]


class Attention(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """Multi-head scaled dot-product attention.

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", section 3.2.
    """

    def __init__(self, width: int, heads: int, dropout: float, linear: MakeLinear) -> None:
        super().__init__()
        self.heads = heads
        self.query = linear(width, width)
        self.key = linear(width, width)
        self.value = linear(width, width)
        self.out = linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, asking: torch.Tensor, told: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Let ``(b, q, d)`` attend to ``(b, t, d)`` where the mask ``(q, t)`` is true."""
        query, key, value = (
            self._split(layer(x))
            for layer, x in ((self.query, asking), (self.key, told), (self.value, told))
        )
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        mixed = self.dropout(scores.softmax(dim=-1)) @ value
        return cast(torch.Tensor, self.out(mixed.transpose(1, 2).flatten(2)))

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """Attention and a feed-forward part, each with a residual path, normalised before or after."""

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        dropout: float,
        pre_norm: bool,
        activation: nn.Module,
        linear: MakeLinear = nn.Linear,
    ) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.attention = Attention(width, heads, dropout, linear)
        self.expand = linear(width, hidden)
        self.contract = linear(hidden, width)
        self.activation = activation
        self.norm_attention = nn.LayerNorm(width)
        self.norm_hidden = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None, last_only: bool) -> torch.Tensor:
        """Encode ``(b, t, d)``; with ``last_only`` return the last step alone, ``(b, 1, d)``."""
        told = self.norm_attention(x) if self.pre_norm else x
        if last_only:
            x = x[:, -1:]
            mask = None if mask is None else mask[-1:]
        asking = told[:, -1:] if last_only else told
        x = x + self.dropout(self.attention(asking, told, mask))
        if self.pre_norm:
            return x + self._feed_forward(self.norm_hidden(x))
        x = self.norm_attention(x)
        return cast(torch.Tensor, self.norm_hidden(x + self._feed_forward(x)))

    def _feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.dropout(self.activation(self.expand(x)))
        return cast(torch.Tensor, self.dropout(self.contract(inner)))


class Encoder(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """Windows to numbers: embed, add positions, encode, read the last step.

    Attributes
    ----------
    last_only
        Whether the last layer computes only what is read; off for the comparison in the tests.
    """

    def __init__(
        self,
        *,
        features: int,
        window_length: int,
        width: int,
        numbers: int,
        layers: list[EncoderLayer],
        dropout: float,
        causal: bool,
    ) -> None:
        super().__init__()
        self.last_only = True
        self.embed = nn.Linear(features, width)
        self.positions = nn.Parameter(0.02 * torch.randn(window_length, width))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, numbers)
        mask = torch.ones(window_length, window_length, dtype=torch.bool).tril()
        self.register_buffer("mask", mask if causal else None, persistent=False)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Turn standardised windows ``(b, t, f)`` into ``(b, numbers)``."""
        x = self.dropout(self.embed(windows) + self.positions)
        mask = cast("torch.Tensor | None", self.mask)
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            x = layer(x, mask, self.last_only and number == last)
        return cast(torch.Tensor, self.head(self.norm(x[:, -1])))
