"""How many workers for an interval this wide? Answered by simulation, from stated assumptions, which can be wrong.

The width is that of the range in which the estimates of repeated studies fall, around the truth they share. It is what
an honest interval has to span; a study's own bootstrap interval is near it once there are enough workers.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from synthlib import agreement, ranking
from synthlib.crowd.design import deal
from synthlib.metrics import correlate_ranks

_N_RESAMPLES = 200  # of the simulations, for the Monte Carlo interval


def simulate_pairs(
    scores: np.ndarray,
    *,
    n_workers: list[int],
    per_worker: int,
    noise: float,
    spammer_share: float,
    regularisation: float,
    n_simulations: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return how wide an interval of a task's Bradley-Terry score is, by number of workers.

    Parameters
    ----------
    scores : ndarray, shape (T,)
        The true ones: natural log-odds.
    per_worker : int
        Pairs per worker, T * (T - 1) / 2 at most.
    noise : float
        Differences of scores are divided by it; 1 is the Bradley-Terry model.
    spammer_share : float
        Chance that a worker answers at random and is not found out.
    regularisation : float
        Of the fit (:func:`synthlib.ranking.fit_scores`).

    Returns
    -------
    widths : DataFrame
        n_workers, votes_per_item (mean), left_out (simulations whose comparisons did not join all tasks), measure,
        value, value_low and value_high (Monte Carlo interval). ``score_width`` is the width of the central range of a
        score's error, mean over tasks; ``rank_correlation`` the mean of Spearman's rho with the truth.
    """
    pairs = np.array(list(combinations(range(len(scores)), 2)))
    rows = []
    for n in n_workers:
        fits = []
        for _ in range(n_simulations):
            wins = _draw_wins(
                scores, pairs, n, per_worker=per_worker, noise=noise, spammer_share=spammer_share, rng=rng
            )
            if _is_joined(wins):
                fits.append(ranking.fit_scores(wins, regularisation=regularisation))
        row = {"n_workers": n, "votes_per_item": n * per_worker / len(pairs), "left_out": n_simulations - len(fits)}
        errors = np.array(fits).reshape(len(fits), len(scores)) - (scores - scores.mean())
        rows.append(row | {"measure": "score_width"} | _measure_width(errors, confidence, rng))
        rhos = correlate_ranks(errors + scores, np.broadcast_to(scores, errors.shape))
        rows.append(row | {"measure": "rank_correlation"} | _measure_mean(rhos, confidence, rng))
    return pd.DataFrame(rows)


def simulate_instances(
    n_texts: int,
    *,
    n_workers: list[int],
    per_worker: int,
    n_labels: int,
    agreement_mean: float,
    agreement_spread: float,
    spammer_share: float,
    n_simulations: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return how wide intervals of alpha and of mean a_i are, by number of workers.

    Every text has its own chance that a worker gives its majority label: drawn from a beta distribution with the given
    mean and standard deviation; the other labels share the rest.

    Parameters
    ----------
    agreement_mean, agreement_spread : float
        Of that chance over texts.
    per_worker : int
        Texts per worker, ``n_texts`` at most.

    Returns
    -------
    widths : DataFrame
        As :func:`simulate_pairs`, with the measures ``alpha_width`` and ``agreement_width`` (of mean a_i). ``left_out``
        counts simulations without a value: no text with two votes, or all votes for one label.

    Raises
    ------
    ValueError
        No beta distribution has such a mean and spread.
    """
    room = agreement_mean * (1 - agreement_mean) / max(agreement_spread, 1e-9) ** 2 - 1
    if not 0 < agreement_mean < 1 or room <= 0:
        raise ValueError(f"no chances have mean {agreement_mean} and spread {agreement_spread}: lower the spread")
    rows = []
    for n in n_workers:
        found = []
        for _ in range(n_simulations):
            chances = rng.beta(agreement_mean * room, (1 - agreement_mean) * room, size=n_texts)
            hands = deal(n_texts, n_workers=n, per_worker=per_worker, rng=rng)
            counts = _draw_labels(chances, hands, n_labels=n_labels, spammer_share=spammer_share, rng=rng)
            found.append(_measure_agreement(counts))
        values = np.array(found)
        values = values[np.isfinite(values).all(axis=1)]
        row = {"n_workers": n, "votes_per_item": n * per_worker / n_texts, "left_out": n_simulations - len(values)}
        for place, measure in enumerate(("alpha_width", "agreement_width")):
            errors = values[:, [place]] - values[:, place].mean() if len(values) else np.empty((0, 1))
            rows.append(row | {"measure": measure} | _measure_width(errors, confidence, rng))
    return pd.DataFrame(rows)


def _draw_wins(
    scores: np.ndarray,
    pairs: np.ndarray,
    n_workers: int,
    *,
    per_worker: int,
    noise: float,
    spammer_share: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the wins (T, T) of one simulated study, by more subjective and more objective task."""
    judged = pairs[deal(len(pairs), n_workers=n_workers, per_worker=per_worker, rng=rng)]  # (W, k, 2)
    odds = (scores[judged[..., 0]] - scores[judged[..., 1]]) / noise
    odds[rng.random(n_workers) < spammer_share] = 0
    first = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
    more = np.where(first, judged[..., 0], judged[..., 1])
    wins = np.zeros((len(scores), len(scores)))
    np.add.at(wins, (more, judged.sum(-1) - more), 1)
    return wins


def _is_joined(wins: np.ndarray) -> bool:
    met = (wins + wins.T > 0) | np.eye(len(wins), dtype=bool)
    return bool((np.linalg.matrix_power(met.astype(float), len(wins)) > 0).all())


def _draw_labels(
    chances: np.ndarray, hands: np.ndarray, *, n_labels: int, spammer_share: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the votes (N, K) of one simulated study; each text's majority label is drawn."""
    most = rng.integers(n_labels, size=len(chances))
    shown = most[hands]  # (W, k)
    other = (shown + rng.integers(1, n_labels, size=hands.shape)) % n_labels
    given = np.where(rng.random(hands.shape) < chances[hands], shown, other)
    spams = rng.random(len(hands)) < spammer_share
    given[spams] = rng.integers(n_labels, size=(int(spams.sum()), hands.shape[1]))
    counts = np.zeros((len(chances), n_labels))
    np.add.at(counts, (hands, given), 1)
    return counts


def _measure_agreement(counts: np.ndarray) -> tuple[float, float]:
    paired = counts[counts.sum(axis=1) >= 2]
    if not len(paired):
        return np.nan, np.nan
    value = agreement.alpha_of_weights(paired, np.ones((1, len(paired))))[0]
    return float(value), float((paired.max(axis=1) / paired.sum(axis=1)).mean())


def _measure_width(errors: np.ndarray, confidence: float, rng: np.random.Generator) -> dict[str, float]:
    """Return the width of the central range of errors (S, T), mean over T, with its Monte Carlo interval."""
    bounds = [(1 - confidence) / 2, (1 + confidence) / 2]
    if len(errors) < 2:
        return dict.fromkeys(("value", "value_low", "value_high"), np.nan)

    def width(rows: np.ndarray) -> float:
        low, high = np.quantile(rows, bounds, axis=0)
        return float((high - low).mean())

    draws = [width(errors[rng.integers(len(errors), size=len(errors))]) for _ in range(_N_RESAMPLES)]
    low, high = np.quantile(draws, bounds)
    return {"value": width(errors), "value_low": float(low), "value_high": float(high)}


def _measure_mean(values: np.ndarray, confidence: float, rng: np.random.Generator) -> dict[str, float]:
    if len(values) < 2:
        return dict.fromkeys(("value", "value_low", "value_high"), np.nan)
    draws = values[rng.integers(len(values), size=(_N_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return {"value": float(values.mean()), "value_low": float(low), "value_high": float(high)}
