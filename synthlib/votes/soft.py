"""How near a classifier's probabilities come to the distribution of people's votes (the LeWiDi measures)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthlib.metrics import Resampling, draw_resampling
from synthlib.votes.annotators import soften
from synthlib.votes.gamma import divide, estimate, estimate_columns

_FLOOR = 1e-6  # of a probability in a logarithm; float16 rounds smaller ones to 0 anyway
_MEASURES = ("manhattan", "cross_entropy", "manhattan_minus_real")


def measure_distances(votes: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Return Manhattan distance and cross-entropy of predictions to soft labels, each of shape (..., N).

    Parameters
    ----------
    votes : ndarray, shape (N, K)
        Soft labels; rows sum to 1.
    probabilities : ndarray, shape (..., N, K)
        Predictions.

    Returns
    -------
    distances : dict
        manhattan (sum over labels of the absolute difference: 0 to 2) and cross_entropy (nats; probabilities below one
        in a million count as that).

    References
    ----------
    Leonardelli et al. (2023), SemEval-2023 task 11, Learning with disagreements; LeWiDi (2025), third edition.

    Examples
    --------
    >>> distances = measure_distances(np.array([[0.8, 0.2]]), np.array([[0.5, 0.5]]))
    >>> {name: float(values[0].round(4)) for name, values in distances.items()}
    {'manhattan': 0.6, 'cross_entropy': 0.6931}
    """
    logs = np.log(np.maximum(probabilities, _FLOOR))
    return {
        "manhattan": np.abs(probabilities - votes).sum(axis=-1),
        "cross_entropy": -(votes * logs).sum(axis=-1),
    }


def compare_with_votes(
    predictions: pd.DataFrame,
    counts: pd.DataFrame,
    *,
    sources: list[str],
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return how far each source's classifiers are from the votes on one set of texts.

    Parameters
    ----------
    predictions : DataFrame
        source, seed, key, probabilities (in the order of the columns of ``counts``); further texts are left out.
    counts : DataFrame, shape (N, K)
        Votes by text (index: key) and label; two or more per text.

    Returns
    -------
    distances : DataFrame
        source, n_texts, manhattan and cross_entropy (means over texts and seeds) and manhattan_minus_real, each with
        ``_low`` and ``_high`` (percentiles over texts and seeds, paired). Two rows need no classifier: ``votes``
        (the votes themselves: no cross-entropy can be lower) and ``base rate`` (for every text the label's share of all
        votes, known only with the votes at hand): a classifier above it has learnt nothing of who will disagree.

    Raises
    ------
    ValueError
        A source has no predictions, or lacks one of a text.
    """
    votes = soften(counts).to_numpy()
    base = counts.sum() / counts.to_numpy().sum()
    given = {"votes": votes[None], "base rate": np.broadcast_to(base.to_numpy(), votes.shape)[None]}
    given |= {source: _collect(predictions, counts.index, source) for source in sources}
    n_seeds = max(len(stack) for stack in given.values())
    resampling = draw_resampling(len(votes), n_seeds, n_resamples=n_resamples, rng=rng)
    traced = {}
    for source, stack in given.items():
        stack = np.broadcast_to(stack, (n_seeds, *votes.shape))
        traced[source] = {n: _average(values, resampling) for n, values in measure_distances(votes, stack).items()}
    rows = []
    for source, measured in traced.items():
        row = {"source": source, "n_texts": len(votes)}
        for name, (value, draws) in measured.items():
            row |= estimate(name, value, draws, confidence)
        if "real" in traced and source in sources and source != "real":
            apart = [own - real for own, real in zip(measured["manhattan"], traced["real"]["manhattan"], strict=True)]
            row |= estimate("manhattan_minus_real", *apart, confidence)
        rows.append(row)
    return pd.DataFrame(rows, columns=["source", "n_texts", *(c for name in _MEASURES for c in estimate_columns(name))])


def _collect(predictions: pd.DataFrame, keys: pd.Index, source: str) -> np.ndarray:
    """Return a source's probabilities, shape (S, N, K)."""
    rows = predictions[predictions["source"] == source]
    if rows.empty:
        raise ValueError(f"no predictions of source {source!r}; there are {sorted(predictions['source'].unique())}")
    stacks = []
    for seed, own in rows.groupby("seed"):
        own = own.set_index("key")["probabilities"].reindex(keys)
        if own.isna().any():
            raise ValueError(f"source {source!r}, seed {seed}: no prediction of text {own.index[own.isna()][0]!r}")
        stacks.append(np.stack(own.to_list()).astype(float))
    return np.stack(stacks)


def _average(values: np.ndarray, resampling: Resampling) -> tuple[float, np.ndarray]:
    """Return the mean over seeds and texts of values (S, N), and the same on every resample."""
    by_seed = resampling.seeds / len(values) @ values  # (R, N)
    weights = resampling.rows.astype(float)
    return float(values.mean()), divide((by_seed * weights).sum(axis=1), weights.sum(axis=1))
