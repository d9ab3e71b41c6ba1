"""Dropout on a processor, with random numbers fast enough not to be felt.

Torch draws the mask of its own dropout one number after another, on one core: a sixth of a step. A graphics card draws
many at once and keeps torch's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

ATTENTION = "synthlib_dropout"  # by which transformers knows :func:`attend`
SCORES = 1 << 20  # of all heads, in attention at a time: 4 MB in float32
LEVELS = 1 << 16  # a number of sixteen bits decides about each element


class Dropout(torch.nn.Module):
    """Sets a share of elements to zero in training and multiplies the others, as ``torch.nn.Dropout`` does.

    The share is ``p`` rounded to a multiple of 1/65,536: 0.100006 for 0.1.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x`` with elements dropped; ``x`` itself in evaluation."""
        return x * draw_mask(x.shape, self.p, x.dtype) if self.training and self.p else x


def draw_mask(shape: torch.Size, p: float, dtype: torch.dtype) -> torch.Tensor:
    """Return random factors: zero with probability ``p``, else 1 / (1 - p) in ``dtype`` (of two or four bytes).

    The seed of the numbers is drawn from torch's generator, which decides all (and goes into checkpoints). Where the
    same seed comes to give another mask, :data:`synthlib.training.checkpoint.FORMAT` is raised.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> draw_mask(torch.Size([2, 5]), 0.5, torch.float32)
    tensor([[0., 2., 2., 0., 2.],
            [0., 0., 0., 0., 2.]])
    """
    seed = int(torch.randint(1 << 62, ()))
    n = shape.numel()
    draws = np.random.SFC64(seed).random_raw(-(-n // 4)).view(np.uint16)[:n]  # (n,)
    bits = {2: torch.int16, 4: torch.int32}[dtype.itemsize]
    factor = torch.tensor(1 / (1 - p), dtype=dtype).view(bits).numpy()  # numpy has no bfloat16: its bits go through
    return torch.from_numpy((draws >= round(p * LEVELS)) * factor).view(dtype).view(shape)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention of queries to keys (both (B, H, W, D)), its weights thinned by :func:`draw_mask`.

    Torch's own is taken without dropout. With it, torch's makes the scores of all texts at once, looks for rows without
    any token (there are none: a text has at least one), and takes the softmax in bfloat16, which processors do four
    times slower than in float32.
    ``attention_mask`` (B, 1, W, W) is true where a query may look.
    """
    plain = not others.get("position_bias") and query.shape[1] == key.shape[1] and scaling is not None
    if not dropout or not plain:
        others |= {"dropout": dropout, "scaling": scaling}
        return sdpa_attention_forward(module, query, key, value, attention_mask, **others)
    hidden = torch.where(attention_mask, 0.0, -torch.inf)  # (B, 1, W, W)
    return Attention.apply(query * scaling, key, value, hidden, dropout).transpose(1, 2), None  # (B, W, H, D)


class Attention(torch.autograd.Function):
    """Attention with dropout, forward and backward, for a few texts at a time: their scores stay in the cache.

    Those of a whole batch of long texts take hundreds of megabytes a layer, which go back to the operating system and
    are asked for again in every step: a fifth of it.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, hidden: torch.Tensor, dropout: float
    ) -> torch.Tensor:
        read, kept = torch.empty_like(query), []
        for q, k, v, h, r in _take_turns(query, key, value, hidden, read):
            scores = (q @ k.transpose(2, 3)).float().add_(h)  # (B, H, W, W)
            weights = scores.softmax(-1).to(v.dtype)
            mask = draw_mask(weights.shape, dropout, weights.dtype)
            r.copy_((weights * mask) @ v)
            kept += [weights, mask]
        ctx.save_for_backward(query, key, value, *kept)
        return read

    @staticmethod
    def backward(ctx: Any, d_read: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # noqa: D102
        query, key, value, *kept = ctx.saved_tensors
        gradients = [torch.empty_like(part) for part in (query, key, value)]
        turns = _take_turns(query, key, value, d_read, *gradients)
        for (q, k, v, d_r, d_q, d_k, d_v), weights, mask in zip(turns, kept[::2], kept[1::2], strict=True):
            d_v.copy_((weights * mask).transpose(2, 3) @ d_r)
            d_weights = (d_r @ v.transpose(2, 3)).mul_(mask).float()
            d_scores = torch._softmax_backward_data(d_weights, weights.float(), -1, torch.float32).to(q.dtype)
            d_q.copy_(d_scores @ k)
            d_k.copy_(d_scores.transpose(2, 3) @ q)
        return *gradients, None, None


def _take_turns(query: torch.Tensor, *others: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield parts of tensors (B, ...), a few texts of each at a time, as many as have :data:`SCORES` scores."""
    n_texts = max(1, SCORES // (query.shape[1] * query.shape[2] ** 2))
    return zip(*(tensor.split(n_texts) for tensor in (query, *others)), strict=True)


AttentionInterface.register(ATTENTION, attend)


def use_fast_dropout(encoder: torch.nn.Module, *, in_attention: bool) -> None:
    """Put :class:`Dropout` in the place of every ``torch.nn.Dropout`` of an encoder, and :func:`attend` to work."""
    for module in list(encoder.modules()):
        for name, child in module.named_children():
            if type(child) is torch.nn.Dropout:
                setattr(module, name, Dropout(child.p).train(child.training))
    if in_attention:
        encoder.config._attn_implementation = ATTENTION
