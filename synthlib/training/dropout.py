"""Dropout on a processor, with random numbers fast enough not to be felt.

Torch draws the mask of its own dropout one number after another, on one core: a sixth of a step. A graphics card draws
many at once and keeps torch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

ATTENTION = "synthlib_dropout"  # by which transformers knows :func:`attend`
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

    Torch's own is taken without dropout. With it, torch's looks for rows without any token (there are none: a text
    has at least one) and takes the softmax in bfloat16, which processors do four times slower than in float32.
    ``attention_mask`` (B, 1, W, W) is true where a query may look.
    """
    plain = not others.get("position_bias") and query.shape[1] == key.shape[1] and scaling is not None
    if not dropout or not plain:
        others |= {"dropout": dropout, "scaling": scaling}
        return sdpa_attention_forward(module, query, key, value, attention_mask, **others)
    scores = ((query * scaling) @ key.transpose(2, 3)).float()  # (B, H, W, W)
    weights = (scores + torch.where(attention_mask, 0.0, -torch.inf)).softmax(-1).to(value.dtype)
    weights = weights * draw_mask(weights.shape, dropout, weights.dtype)
    return (weights @ value).transpose(1, 2).contiguous(), None  # (B, W, H, D)


AttentionInterface.register(ATTENTION, attend)


def use_fast_dropout(encoder: torch.nn.Module, *, in_attention: bool) -> None:
    """Put :class:`Dropout` in the place of every ``torch.nn.Dropout`` of an encoder, and :func:`attend` to work."""
    for module in list(encoder.modules()):
        for name, child in module.named_children():
            if type(child) is torch.nn.Dropout:
                setattr(module, name, Dropout(child.p).train(child.training))
    if in_attention:
        encoder.config._attn_implementation = ATTENTION
