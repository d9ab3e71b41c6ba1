"""Texts to token numbers, once; and random batches of texts of like length, in few widths."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synthlib.encode import refuse_blank

STEP = {"cpu": 4, "cuda": 8}  # tokens: a batch is as wide as a multiple of this (tensor cores want eights); texts of
# one width are drawn anew together in every epoch: of a smaller step, small runs would meet the same batches again
MEGABATCH = 16  # batches: texts are sorted by width within so many random batches, not over all texts


@dataclass(frozen=True)
class Tokens:
    """Token numbers of N texts.

    Attributes
    ----------
    ids : ndarray of int32, shape (N, W)
        Padded on the right; W is the longest text's width.
    lengths : ndarray of int64, shape (N,)
        Tokens of every text, the special ones included.
    step : int
        A batch is as wide as a multiple of this.
    """

    ids: np.ndarray
    lengths: np.ndarray
    step: int

    @property
    def widths(self) -> np.ndarray:
        """Length of every text, rounded up to a multiple of ``step``; shape (N,)."""
        return -(-self.lengths // self.step) * self.step

    def take(self, rows: np.ndarray) -> Tokens:
        """Return the token numbers of some of the texts, in the order of ``rows``."""
        return Tokens(self.ids[rows], self.lengths[rows], self.step)


def tokenize(texts: Sequence[str], tokenizer: Any, *, max_length: int, step: int) -> Tokens:
    """Return the token numbers of texts; one that is longer than ``max_length`` tokens is cut, and a warning says so.

    A warning also counts the texts of which the tokenizer knows no token: what is predicted of them says nothing.

    Raises
    ------
    ValueError
        A text is blank (the message gives its position), or the tokenizer knows no token of any text.
    """
    refuse_blank(texts)
    lists = tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"] if len(texts) else []
    lengths = np.array([len(ids) for ids in lists], dtype=np.int64)
    longest = -(-int(lengths.max(initial=1)) // step) * step
    table = np.full((len(lists), longest), tokenizer.pad_token_id or 0, dtype=np.int32)
    inside = np.arange(longest) < lengths[:, None]  # (N, W)
    table[inside] = np.concatenate(lists) if lists else 0
    unknown = ~(inside & ~np.isin(table, tokenizer.all_special_ids)).any(1)
    if len(texts) and unknown.all():
        raise ValueError(f"the tokenizer knows no token of any of {len(texts)} texts; is it the encoder's own?")
    if unknown.any():
        warnings.warn(
            f"{unknown.sum()} of {len(texts)} texts have no token that the encoder knows, the first at position "
            f"{unknown.argmax()}; what is predicted of them says nothing",
            stacklevel=3,
        )
    full = int((lengths >= max_length).sum())
    if full:
        warnings.warn(
            f"{full} of {len(texts)} texts reach max_length {max_length}; what follows is cut off", stacklevel=3
        )
    return Tokens(table, lengths, step)


def draw_batches(
    rows: np.ndarray, widths: np.ndarray, *, batch_size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the batches of one epoch: every row once, rows of like width together, in random order.

    Rows are shuffled and cut into megabatches; within each they are sorted by width (rows of one width stay shuffled)
    and cut into batches, which are then shuffled. Only one batch can be smaller than the others.

    Parameters
    ----------
    rows : ndarray of int, shape (R,)
        The texts to learn from.
    widths : ndarray of int, shape (N,)
        Of all texts.

    Examples
    --------
    >>> widths = np.array([16, 32, 16, 32, 16, 32])
    >>> batches = draw_batches(np.arange(6), widths, batch_size=3, rng=np.random.default_rng(0))
    >>> [sorted(batch.tolist()) for batch in batches]
    [[1, 3, 5], [0, 2, 4]]
    """
    shuffled = rng.permutation(rows)
    batches = []
    for start in range(0, len(rows), MEGABATCH * batch_size):
        part = shuffled[start : start + MEGABATCH * batch_size]
        part = part[np.argsort(widths[part], kind="stable")]
        batches += [part[first : first + batch_size] for first in range(0, len(part), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]
