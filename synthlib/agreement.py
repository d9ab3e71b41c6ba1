"""Agreement of annotators: share of the majority label, Krippendorff's alpha, and a fast bootstrap of it over texts."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd
from scipy import stats

from synthlib.metrics import count_draws

_CHUNK = 50_000  # numbers in the largest array at a time: 400 kB, which stays in the processor's cache


def count_votes(votes: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Return how many annotators gave each label to each text.

    Texts with a single vote are left out: nobody is there to agree with.

    Parameters
    ----------
    votes : DataFrame
        key, annotator, label; one row per vote, none missing.
    labels : list of str
        The labels, in the order of the result's columns.

    Returns
    -------
    counts : DataFrame of int, N rows
        Indexed by key, one column per label, at least two votes per row; keys in order of first appearance.

    Raises
    ------
    ValueError
        There are no votes, a label is unknown, all votes are of one annotator, or no text has two votes.

    Examples
    --------
    >>> votes = pd.DataFrame({"key": ["t1", "t1", "t2"], "annotator": ["a", "b", "a"], "label": ["yes", "no", "no"]})
    >>> count_votes(votes, ["no", "yes"]).to_dict("index")
    {'t1': {'no': 1, 'yes': 1}}
    """
    if votes.empty:
        raise ValueError("there are no votes")
    unknown = sorted(set(votes["label"]) - set(labels))
    if unknown:
        raise ValueError(f"unknown label(s) {unknown}; allowed are {labels}")
    if votes["annotator"].nunique() < 2:
        raise ValueError(f"all votes are of one annotator, {votes['annotator'].iloc[0]!r}; agreement needs two")
    counts = pd.crosstab(votes["key"], votes["label"]).reindex(columns=labels, fill_value=0)
    counts = counts.loc[votes["key"].drop_duplicates()]
    counts = counts[counts.sum(axis=1) >= 2].rename_axis(columns=None)
    if counts.empty:
        raise ValueError("no text has votes of two annotators")
    return counts


def measure_agreement(counts: pd.DataFrame) -> pd.DataFrame:
    """Return each text's majority label and the share of annotators who gave it.

    Parameters
    ----------
    counts : DataFrame, shape (N, K)
        From :func:`count_votes`.

    Returns
    -------
    texts : DataFrame, N rows
        key, n_votes, agreement (a_i, 1/K to 1) and majority. In a tie a_i is the share of any one of the tied labels
        and majority is None.

    References
    ----------
    Li, Zhu, Lu & Yin (2023), section 5.

    Examples
    --------
    >>> measure_agreement(pd.DataFrame({"no": [4, 1], "yes": [1, 1]}, index=["t1", "t2"])).to_dict("list")
    {'key': ['t1', 't2'], 'n_votes': [5, 2], 'agreement': [0.8, 0.5], 'majority': ['no', None]}
    """
    matrix = counts.to_numpy()
    most, n_votes = matrix.max(axis=1), matrix.sum(axis=1)
    tied = (matrix == most[:, None]).sum(axis=1) > 1
    majority = np.array(counts.columns, dtype=object)[matrix.argmax(axis=1)]
    majority[tied] = None
    columns = {"key": counts.index, "n_votes": n_votes, "agreement": most / n_votes}
    return pd.DataFrame(columns).assign(majority=pd.Series(majority, dtype=object))


def alpha(counts: np.ndarray) -> float:
    """Return Krippendorff's alpha for nominal labels: 1 is full agreement, 0 that of chance.

    Parameters
    ----------
    counts : array_like of int, shape (N, K)
        Votes by text and label. Texts with fewer than two votes do not count.

    Returns
    -------
    alpha : float
        NaN where all votes are for one label: chance alone would then agree as well, and alpha is undefined.

    References
    ----------
    Krippendorff (2011), Computing Krippendorff's alpha-reliability.

    Examples
    --------
    Krippendorff's example C (nominal data, any number of observers, missing data) has alpha 0.743:

    >>> votes = [[3, 0, 0, 0, 0], [0, 3, 1, 0, 0], [0, 0, 4, 0, 0], [0, 0, 4, 0, 0], [0, 4, 0, 0, 0], [1, 1, 1, 1, 0],
    ...          [0, 0, 0, 4, 0], [3, 1, 0, 0, 0], [0, 4, 0, 0, 0], [0, 0, 0, 0, 3], [2, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    >>> round(alpha(votes), 3)
    0.743
    """
    counts = np.asarray(counts)
    paired = counts[counts.sum(axis=1) >= 2]
    if (paired.sum(axis=0) > 0).sum() < 2:
        return float("nan")
    return float(krippendorff.alpha(value_counts=paired, level_of_measurement="nominal"))


def bootstrap_agreement(
    counts: np.ndarray, *, n_resamples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean a_i and alpha (nominal) on the same resamples of the texts.

    Parameters
    ----------
    counts : array_like of int, shape (N, K)
        Votes by text and label, two or more per text.
    n_resamples : int
        R. Texts are drawn with replacement, all votes of a text together.

    Returns
    -------
    means, alphas : ndarray of float, shape (R,)
        Alpha is NaN where all votes of a resample are for one label.

    Raises
    ------
    ValueError
        There is no text, or ``n_resamples`` is below 1.
    """
    counts = np.asarray(counts, dtype=float)
    if not len(counts) or n_resamples < 1:
        raise ValueError(f"{len(counts)} texts and {n_resamples} resamples; both must be at least 1")
    share = counts.max(axis=1) / counts.sum(axis=1)
    step = max(1, _CHUNK // len(counts))
    means, alphas = [], []
    for start in range(0, n_resamples, step):
        weights = count_draws((min(step, n_resamples - start), len(counts)), rng).astype(float)  # (r, N)
        means.append(weights @ share / len(share))
        alphas.append(alpha_of_weights(counts, weights))
    return np.concatenate(means), np.concatenate(alphas)


def alpha_of_weights(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return alpha (nominal) of weighted texts, shape (R,): of R resamples at once, if the weights are whole numbers.

    Alpha depends on the texts only through sums over them: of disagreeing pairs of votes, and of votes per label. So R
    resamples are one product of their weights (R, N) with these numbers by text (N, 1 + K).

    Parameters
    ----------
    counts : ndarray of float, shape (N, K)
        Votes by text and label. Texts with fewer than two votes do not count.
    weights : ndarray of float, shape (R, N)
        How often each text counts.

    Examples
    --------
    >>> alpha_of_weights(np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]]), np.ones((1, 3))).round(4).tolist()
    [0.4444]
    """
    return _alpha_of_sums(weights @ _summands(counts))


def alpha_without_each(counts: np.ndarray) -> np.ndarray:
    """Return alpha (nominal) with each text in turn left out, shape (N,), of counts (N, K)."""
    summands = _summands(np.asarray(counts, dtype=float))
    return _alpha_of_sums(summands.sum(axis=0) - summands)


def alpha_without_votes(counts: np.ndarray, text: np.ndarray, label: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return alpha (nominal) with each group of votes in turn left out, shape (G,).

    Parameters
    ----------
    counts : ndarray of int, shape (N, K)
        Votes by text and label.
    text, label, group : ndarray of int, shape (V,)
        Of every vote; a group (0 to G - 1) has one vote per text at most.
    """
    own = np.asarray(counts, dtype=float)[text]  # (V, K)
    fewer = own.copy()
    fewer[np.arange(len(text)), label] -= 1
    sums = np.repeat(_summands(np.asarray(counts, dtype=float)).sum(axis=0)[None], group.max() + 1, axis=0)
    np.add.at(sums, group, _summands(fewer) - _summands(own))
    return _alpha_of_sums(sums)


def bca_interval(
    value: float, draws: np.ndarray, without_each: np.ndarray, *, confidence: float
) -> tuple[float, float]:
    """Return the BCa interval (bias-corrected and accelerated): percentiles of the draws at corrected levels.

    Plain percentiles of alpha reach the truth too seldom where few texts hold all the disagreement: alpha is then
    skewed. ``notebooks/11_validation`` holds both side by side.

    Parameters
    ----------
    value : float
        The estimate.
    draws : ndarray, shape (R,)
        Bootstrap draws of it; NaN draws are left out.
    without_each : ndarray, shape (N,)
        The estimate with each unit in turn left out.

    Returns
    -------
    low, high : float
        NaN where the value is; both the value where no unit moves it.

    References
    ----------
    Efron (1987), Better bootstrap confidence intervals.

    Examples
    --------
    >>> sample, rng = np.arange(10.0), np.random.default_rng(0)
    >>> draws = rng.choice(sample, size=(4000, 10)).mean(axis=1)
    >>> jackknife = (sample.sum() - sample) / 9
    >>> [round(end, 1) for end in bca_interval(4.5, draws, jackknife, confidence=0.9)]
    [3.1, 6.0]
    """
    draws, without_each = draws[np.isfinite(draws)], without_each[np.isfinite(without_each)]
    if not (np.isfinite(value) and len(draws)):
        return float("nan"), float("nan")
    apart = without_each.mean() - without_each
    if not len(apart) or np.ptp(without_each) < 1e-12:
        return value, value
    acceleration = (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)
    below = ((draws < value).mean() + (draws <= value).mean()) / 2
    bias = stats.norm.ppf(np.clip(below, 1 / (len(draws) + 1), len(draws) / (len(draws) + 1)))
    z = bias + stats.norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = np.quantile(draws, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def _summands(counts: np.ndarray) -> np.ndarray:
    """Return what each text adds to alpha's sums, shape (N, 1 + K): disagreeing pairs of votes, and votes per label."""
    size = counts.sum(axis=1)
    paired = np.where(size[:, None] >= 2, counts, 0)
    disagreeing = (paired.sum(axis=1) ** 2 - (paired**2).sum(axis=1)) / np.maximum(size - 1, 1)
    return np.column_stack([disagreeing, paired])


def _alpha_of_sums(sums: np.ndarray) -> np.ndarray:
    votes = sums[:, 1:].sum(axis=1)
    expected = votes**2 - (sums[:, 1:] ** 2).sum(axis=1)
    observed = (votes - 1) * sums[:, 0]
    return 1 - np.divide(observed, expected, out=np.full(len(sums), np.nan), where=expected > 0)


def summarise_agreement(
    counts: pd.DataFrame, *, n_resamples: int, confidence: float, rng: np.random.Generator
) -> dict[str, float | int | str]:
    """Return mean a_i and alpha of one set of texts, with intervals by bootstrap over texts.

    Mean a_i has the percentile interval, alpha the BCa one (:func:`bca_interval`).

    Parameters
    ----------
    counts : DataFrame, shape (N, K)
        From :func:`count_votes`.

    Returns
    -------
    row : dict
        texts, votes, unanimous (share of texts with a_i = 1), agreement (mean a_i) and alpha, each of these two with
        ``_low`` and ``_high``, and note: empty, or why alpha is undefined (NaN).
    """
    share = measure_agreement(counts)["agreement"].to_numpy()
    bounds = [(1 - confidence) / 2, (1 + confidence) / 2]
    means, alphas = bootstrap_agreement(counts.to_numpy(), n_resamples=n_resamples, rng=rng)
    mean_low, mean_high = np.quantile(means, bounds)
    value = alpha(counts.to_numpy())
    alpha_low, alpha_high = bca_interval(value, alphas, alpha_without_each(counts), confidence=confidence)
    row = {"texts": len(counts), "votes": int(counts.to_numpy().sum()), "unanimous": float((share == 1).mean())}
    row |= {"agreement": float(share.mean()), "agreement_low": float(mean_low), "agreement_high": float(mean_high)}
    row |= {"alpha": value, "alpha_low": alpha_low, "alpha_high": alpha_high}
    return row | {"note": "alpha undefined: all votes are for one label" if np.isnan(value) else ""}
