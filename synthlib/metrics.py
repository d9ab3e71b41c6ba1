"""Scores of classifiers, their intervals by resampling rows and seeds together, and tests on a handful of tasks."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from scipy import stats

_CHUNK = 16_000_000  # numbers in the largest array made at a time: 64 MB of float32


def count_confusions(gold: np.ndarray, predicted: np.ndarray, *, n_labels: int) -> np.ndarray:
    """Return confusion matrices.

    Parameters
    ----------
    gold : ndarray of int, shape (N,)
        Gold labels of N rows, 0 to ``n_labels - 1``.
    predicted : ndarray of int, shape (..., N)
        Predicted labels of the same rows by one or more models.

    Returns
    -------
    confusions : ndarray of int, shape (..., K, K)
        Rows by gold label and predicted label, K = ``n_labels``.

    Raises
    ------
    ValueError
        There are no rows, the shapes do not fit, or a label is out of range.

    Examples
    --------
    >>> count_confusions([0, 0, 1], [0, 1, 1], n_labels=2).tolist()
    [[1, 1], [0, 1]]
    """
    pairs, models = _pair_labels(gold, predicted, n_labels)
    flat = pairs.reshape(-1, pairs.shape[-1]) + np.arange(models)[:, None] * n_labels**2
    counts = np.bincount(flat.ravel(), minlength=models * n_labels**2)
    return counts.reshape(*pairs.shape[:-1], n_labels, n_labels)


def macro_f1(gold: np.ndarray, predicted: np.ndarray, *, n_labels: int) -> np.ndarray:
    """Return Macro-F1, the plain mean of the labels' F1, as a fraction.

    A label that is neither gold nor predicted anywhere has F1 0 and counts in the mean, as in scikit-learn with
    ``labels=range(n_labels), zero_division=0``. For parameters and errors see :func:`count_confusions`.

    Returns
    -------
    f1 : float64, shape (...)
        One value per model; a scalar for one.

    Examples
    --------
    >>> float(macro_f1([0, 0, 1, 1], [0, 1, 1, 1], n_labels=2).round(4))
    0.7333
    """
    return _f1_of(count_confusions(gold, predicted, n_labels=n_labels))


def accuracy(gold: np.ndarray, predicted: np.ndarray, *, n_labels: int) -> np.ndarray:
    """Return the share of rows predicted right, one value per model. For parameters see :func:`count_confusions`."""
    return _accuracy_of(count_confusions(gold, predicted, n_labels=n_labels))


@dataclass(frozen=True)
class Resampling:
    """Bootstrap draws of test rows and of seeds, to be shared by all sources that are compared.

    Scores of two sources under one resampling are paired: draw by draw they are of the same rows and seeds, so the
    difference of their draws has the right spread.

    Attributes
    ----------
    rows : ndarray of uint8, shape (R, N)
        How often each of N test rows is in each of R resamples (N draws with replacement).
    seeds : ndarray of uint8, shape (R, S)
        The same of S seeds.
    """

    rows: np.ndarray
    seeds: np.ndarray


def draw_resampling(n_rows: int, n_seeds: int, *, n_resamples: int, rng: np.random.Generator) -> Resampling:
    """Return ``n_resamples`` bootstrap draws of rows and seeds; a ValueError names a size that is below 1."""
    for name, size in (("n_rows", n_rows), ("n_seeds", n_seeds), ("n_resamples", n_resamples)):
        if size < 1:
            raise ValueError(f"{name} is {size}; it must be at least 1")
    rows = np.empty((n_resamples, n_rows), dtype=np.uint8)  # a count above 255 has no chance at mean 1
    seeds = np.empty((n_resamples, n_seeds), dtype=np.uint8)
    for counts in (rows, seeds):
        step = max(1, _CHUNK // 4 // counts.shape[1])
        for start in range(0, n_resamples, step):
            counts[start : start + step] = count_draws(counts[start : start + step].shape, rng)
    return Resampling(rows, seeds)


def rng_of_task(seed: int, task: str) -> np.random.Generator:
    """Return a generator of a task's own: its classifiers are resampled alike wherever they are scored."""
    return np.random.default_rng([seed, zlib.crc32(task.encode())])


@dataclass(frozen=True)
class Scores:
    """Macro-F1 and accuracy, means over seeds, as fractions; ``_draws``, shape (R,), are the same on R resamples."""

    f1: float
    accuracy: float
    f1_draws: np.ndarray
    accuracy_draws: np.ndarray


def bootstrap_scores(gold: np.ndarray, predicted: np.ndarray, *, n_labels: int, resampling: Resampling) -> Scores:
    """Return the mean score over seeds and its bootstrap draws over test rows and seeds.

    All resamples are scored by matrix products: row counts (R, N) times the indicator of each seed's gold-predicted
    pair (N, S K K) are R S confusion matrices.

    Parameters
    ----------
    gold : ndarray of int, shape (N,)
        Gold labels.
    predicted : ndarray of int, shape (S, N)
        Predictions of S seeds.
    resampling : Resampling
        Of N rows and S seeds; give several sources the same one to compare them.

    Raises
    ------
    ValueError
        A label is out of range, or rows or seeds are not those of the resampling.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13 (percentile intervals).
    """
    pairs, n_seeds = _pair_labels(gold, predicted, n_labels)
    if pairs.ndim != 2 or pairs.shape != (resampling.seeds.shape[1], resampling.rows.shape[1]):
        expected = (resampling.seeds.shape[1], resampling.rows.shape[1])
        raise ValueError(f"predicted has shape {pairs.shape}; the resampling is of (seeds, rows) = {expected}")
    indicator = (pairs.T[:, :, None] == np.arange(n_labels**2)).reshape(pairs.shape[1], -1).astype(np.float32)
    n_resamples = len(resampling.rows)
    f1, right = np.empty(n_resamples), np.empty(n_resamples)
    step = max(1, _CHUNK // max(indicator.shape))
    for start in range(0, n_resamples, step):
        part = slice(start, start + step)
        counts = resampling.rows[part].astype(np.float32) @ indicator  # (r, S K K)
        confusions = counts.reshape(-1, n_seeds, n_labels, n_labels)
        share = resampling.seeds[part] / n_seeds  # (r, S)
        f1[part] = (_f1_of(confusions) * share).sum(1)
        right[part] = (_accuracy_of(confusions) * share).sum(1)
    confusions = count_confusions(gold, predicted, n_labels=n_labels)
    return Scores(float(_f1_of(confusions).mean()), float(_accuracy_of(confusions).mean()), f1, right)


def interval(draws: np.ndarray, *, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of bootstrap draws.

    Examples
    --------
    >>> interval(np.arange(5), confidence=0.5)
    (1.0, 3.0)
    """
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def correlate_ranks(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return Spearman's rho along the last axis; ties get their mean rank, NaN where x or y is constant.

    Examples
    --------
    >>> float(correlate_ranks([1, 2, 3, 4], [1, 3, 2, 4]).round(3))
    0.8
    """
    ranks = [stats.rankdata(values, axis=-1) for values in (x, y)]
    centred = [values - values.mean(-1, keepdims=True) for values in ranks]
    norms = np.sqrt((centred[0] ** 2).sum(-1) * (centred[1] ** 2).sum(-1))
    products = (centred[0] * centred[1]).sum(-1)
    return np.divide(products, norms, out=np.full(np.shape(products), np.nan), where=norms > 0)


def permutation_test(
    x: np.ndarray, y: np.ndarray, *, n_permutations: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return Spearman's rho of x and y and its two-sided p under all pairings being alike.

    All pairings are taken where there are no more than ``n_permutations`` (n! of n values), else that many at random.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        One value each for n tasks.

    Raises
    ------
    ValueError
        Fewer than three values, unequal lengths, or a constant or non-finite x or y.

    Examples
    --------
    >>> permutation_test([1, 2, 3, 4], [1, 2, 3, 4], n_permutations=100, rng=np.random.default_rng(0))
    (1.0, 0.08333333333333333)
    """
    x, y = _check_pair(x, y)
    result = stats.permutation_test(
        (x,),
        lambda values, axis: correlate_ranks(np.moveaxis(values, axis, -1), y),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=n_permutations,
        batch=10_000,
        rng=rng,
    )
    return float(result.statistic), float(result.pvalue)


def correlation_interval(
    x: np.ndarray, y: np.ndarray, *, n_resamples: int, confidence: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile interval of Spearman's rho by bootstrap over the n pairs.

    Resamples in which x or y is constant have no rho and are left out. With ten pairs the interval is wide, for a
    strong rho rather too long (11_validation). For parameters and errors see :func:`permutation_test`.
    """
    x, y = _check_pair(x, y)
    chosen = rng.integers(len(x), size=(n_resamples, len(x)))
    draws = correlate_ranks(x[chosen], y[chosen])
    return interval(draws[np.isfinite(draws)], confidence=confidence)


def compare_means(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return mean(x) - mean(y), and two-sided p of Welch's t-test and of the exact permutation test.

    The permutation test takes every way to share the values out to groups of these sizes, or 100,000 at random (seed 0)
    where there are more: 210 for groups of 4 and 6, so no two-sided p is below 2/210 there. With fewer than two values
    in a group all three are NaN.

    Examples
    --------
    >>> difference, p_t, p_permutation = compare_means([4.0, 5.0, 6.0], [1.0, 2.0, 3.0])
    >>> difference, round(p_t, 4), p_permutation
    (3.0, 0.0213, 0.1)
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if min(len(x), len(y)) < 2:
        return np.nan, np.nan, np.nan
    shuffled = stats.permutation_test(
        (x, y),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        permutation_type="independent",
        vectorized=True,
        n_resamples=100_000,
        batch=10_000,
        rng=np.random.default_rng(0),
    )
    p_t = stats.ttest_ind(x, y, equal_var=False).pvalue
    return float(x.mean() - y.mean()), float(p_t), float(shuffled.pvalue)


def count_draws(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return how often each of N things is in each of R bootstrap resamples of them; ``shape`` is (R, N)."""
    drawn = rng.integers(shape[1], size=shape) + np.arange(shape[0])[:, None] * shape[1]
    return np.bincount(drawn.ravel(), minlength=drawn.size).reshape(shape)


def _pair_labels(gold: np.ndarray, predicted: np.ndarray, n_labels: int) -> tuple[np.ndarray, int]:
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    if gold.ndim != 1 or predicted.shape[-1:] != gold.shape or not gold.size:
        raise ValueError(f"gold of shape {gold.shape} and predicted of {predicted.shape}; expected (N,) and (..., N)")
    for name, labels in (("gold", gold), ("predicted", predicted)):
        if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= n_labels:
            raise ValueError(f"{name} labels must be whole numbers from 0 to {n_labels - 1}")
    pairs = gold.astype(np.int64) * n_labels + predicted  # (..., N)
    return pairs, int(np.prod(pairs.shape[:-1]))


def _f1_of(confusions: np.ndarray) -> np.ndarray:
    right = np.diagonal(confusions, axis1=-2, axis2=-1)  # (..., K)
    total = confusions.sum(-1) + confusions.sum(-2)
    return (2 * right / np.maximum(total, 1)).mean(-1, dtype=np.float64)


def _accuracy_of(confusions: np.ndarray) -> np.ndarray:
    return np.trace(confusions, axis1=-2, axis2=-1) / confusions.sum((-2, -1), dtype=np.float64)


def _check_pair(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 3:
        raise ValueError(f"x of shape {x.shape} and y of {y.shape}; expected two equal lengths of at least 3")
    for name, values in (("x", x), ("y", y)):
        if not np.isfinite(values).all() or np.ptp(values) == 0:
            raise ValueError(f"{name} is constant or not finite: {values}")
    return x, y
