"""Bradley-Terry scores of many tables of comparisons at once, and intervals of scores that hold with few workers."""

from __future__ import annotations

import numpy as np
from scipy import stats

_TOLERANCE, _MAX_STEPS = 1e-8, 1000  # those of choix's fit, which this one equals


def fit_many(wins: np.ndarray, *, regularisation: float, start: np.ndarray | None = None) -> np.ndarray:
    """Return Bradley-Terry scores of every table of comparisons, as ``choix.ilsr_pairwise_dense`` does of one.

    All tables take each step together: one call solves the linear equations of all. What choix loops over in Python,
    and the many small calls per step, fall away.

    Parameters
    ----------
    wins : ndarray, shape (..., T, T)
        By winner and loser.
    regularisation : float
        Above 0.
    start : ndarray, optional
        Scores to begin with, broadcast to the result's shape; near the solution saves steps, and changes nothing else.

    Returns
    -------
    scores : ndarray, shape (..., T)
        Natural log-odds, mean 0.

    Raises
    ------
    ValueError
        ``regularisation`` is not above 0.
    RuntimeError
        A table has not converged after 1,000 steps.

    References
    ----------
    Maystre & Grossglauser (2015), Fast and accurate inference of Plackett-Luce models (iterative spectral ranking).

    Examples
    --------
    >>> fit_many(np.array([[[0, 3], [1, 0]], [[0, 1], [1, 0]]]), regularisation=1e-9).round(4).tolist()
    [[0.5493, -0.5493], [0.0, 0.0]]
    """
    if regularisation <= 0:
        raise ValueError(f"regularisation is {regularisation}; it must be above 0")
    shape = wins.shape[:-1]
    beaten = np.swapaxes(np.asarray(wins, dtype=float).reshape(-1, *wins.shape[-2:]), 1, 2)  # by loser and winner
    scores = np.zeros((len(beaten), shape[-1]))
    if start is not None:
        scores += np.broadcast_to(start, shape).reshape(scores.shape)
    waiting = np.arange(len(scores))
    for _ in range(_MAX_STEPS):
        moved = _step(beaten[waiting], scores[waiting], regularisation)
        far = np.abs(moved - scores[waiting]).sum(axis=1) > _TOLERANCE * shape[-1]
        scores[waiting] = moved
        waiting = waiting[far]
        if not len(waiting):
            return scores.reshape(shape)
    raise RuntimeError(f"{len(waiting)} of {len(scores)} fits did not converge after {_MAX_STEPS} steps")


def _step(beaten: np.ndarray, scores: np.ndarray, regularisation: float) -> np.ndarray:
    """Return the scores of the Markov chains whose rates follow from the scores before: one step of the fit."""
    n = scores.shape[1]
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights *= n / weights.sum(axis=1, keepdims=True)
    rates = regularisation + beaten / (weights[:, :, None] + weights[:, None, :])  # (B, from, to)
    rates[:, range(n), range(n)] = 0
    flows = np.swapaxes(rates, 1, 2) - rates.sum(axis=2)[:, :, None] * np.eye(n)
    flows[:, -1] = 1  # one balance follows from the others; in its place: the shares sum to n
    total = np.zeros((len(scores), n, 1))
    total[:, -1] = n
    logs = np.log(np.linalg.solve(flows, total)[..., 0])
    return logs - logs.mean(axis=1, keepdims=True)


def bracket_scores(
    scores: np.ndarray, draws: np.ndarray, *, n_workers: int, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of intervals of scores, shapes (T,): score -/+ Student's t times the bootstrap standard error.

    Percentiles of the draws would cover the true score too seldom: a fit to few judgements is drawn apart, a fit to a
    resample of them once more, and percentiles take over both. ``notebooks/11_validation`` holds the two side by side.

    Parameters
    ----------
    scores : ndarray, shape (T,)
        Fitted to all workers.
    draws : ndarray, shape (R, T)
        Refitted to resampled workers.
    n_workers : int
        W; Student's t has W - 1 degrees of freedom.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 12.
    """
    reach = stats.t.ppf((1 + confidence) / 2, n_workers - 1) * draws.std(axis=0, ddof=1)
    return scores - reach, scores + reach
