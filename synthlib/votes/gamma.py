"""Study II: how right classifiers are on the texts on which annotators agree, threshold by threshold.

A threshold gamma keeps the texts whose agreement a_i is at least gamma. The thresholds are the values that a_i takes:
any other keeps the same texts as one of these. All intervals come from one resampling of texts and seeds, shared by
thresholds and sources, so that differences between them are paired.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthlib.intervals import estimate, estimate_columns
from synthlib.metrics import Resampling, correlate_ranks

MIN_THRESHOLDS = 3  # with fewer there is no trend to speak of
MIN_KIND = 5  # fewest disputed, and fewest unanimous, texts: resampling fewer gives intervals that mean nothing
_TRENDS = ("rho", "slope", "gap", "balanced", "balanced_slope", "slope_minus_real", "balanced_slope_minus_real")
#: Accuracy and balanced accuracy by threshold, each as found and on resamples.
_Traced = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def choose_gammas(agreement: np.ndarray, *, min_texts: int) -> np.ndarray:
    """Return the values of a_i, ascending, that as thresholds keep at least ``min_texts`` texts, shape (G,).

    Examples
    --------
    >>> choose_gammas(np.array([0.6, 0.8, 0.8, 1.0]), min_texts=2).tolist()
    [0.6, 0.8]
    """
    values = np.unique(agreement)
    return values[[(agreement >= value).sum() >= min_texts for value in values]]


def trace_accuracy(right: np.ndarray, kept: np.ndarray, resampling: Resampling) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy on several sets of the same texts, as found and on each resample.

    Parameters
    ----------
    right : ndarray of bool, shape (S, N)
        By seed and text.
    kept : ndarray of bool, shape (N, G)
        The texts of each of G sets.
    resampling : Resampling
        Of N texts and S seeds.

    Returns
    -------
    accuracy : ndarray, shape (G,)
        Mean over seeds and kept texts; NaN for a set without texts.
    draws : ndarray, shape (R, G)
        The same on R resamples; NaN where a resample holds no text of the set.

    Examples
    --------
    >>> from synthlib.metrics import draw_resampling
    >>> resampling = draw_resampling(4, 1, n_resamples=1, rng=np.random.default_rng(0))
    >>> kept = np.array([0.6, 0.6, 1.0, 1.0])[:, None] >= np.array([0.6, 1.0])
    >>> trace_accuracy(np.array([[False, True, True, True]]), kept, resampling)[0].tolist()
    [0.75, 1.0]
    """
    kept = kept.astype(float)
    accuracy = divide(right.mean(axis=0) @ kept, kept.sum(axis=0))
    by_seed = resampling.seeds / right.shape[0] @ right.astype(float)  # (R, N)
    return accuracy, divide((by_seed * resampling.rows) @ kept, resampling.rows @ kept)


def fit_slope(gammas: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """Return the least-squares slope of accuracy on gamma along the last axis (accuracy per unit of gamma).

    NaN where an accuracy is NaN.

    Examples
    --------
    >>> float(fit_slope(np.array([0.6, 0.8, 1.0]), np.array([0.7, 0.8, 0.9])).round(4))
    0.5
    """
    centred = gammas - gammas.mean()
    return (accuracy * centred).sum(axis=-1) / (centred**2).sum()


def trace_balanced(
    right: np.ndarray, kept: np.ndarray, gold: np.ndarray, resampling: Resampling
) -> tuple[np.ndarray, np.ndarray]:
    """Return balanced accuracy (the labels' recalls, averaged), as :func:`trace_accuracy` does accuracy.

    It does not move when a threshold only changes how common each label is. NaN where a label has no text.

    Parameters
    ----------
    gold : ndarray, shape (N,)
        Labels.
    """
    of_label = gold[:, None] == np.unique(gold)  # (N, K)
    split = (kept[:, :, None] & of_label[:, None, :]).reshape(len(gold), -1)  # (N, G K)
    recalls = trace_accuracy(right, split, resampling)
    shape = kept.shape[1], of_label.shape[1]
    return tuple(values.reshape(*values.shape[:-1], *shape).mean(axis=-1) for values in recalls)


def measure_curves(
    right: dict[str, np.ndarray],
    agreement: np.ndarray,
    gold: np.ndarray,
    *,
    min_texts: int,
    resampling: Resampling,
    confidence: float,
) -> pd.DataFrame:
    """Return accuracy by threshold for several training sources on the same texts.

    Parameters
    ----------
    right : dict of str to ndarray of bool, shape (S, N)
        By source; the same seeds and texts.
    agreement : ndarray, shape (N,)
        a_i.
    gold : ndarray, shape (N,)
        Labels.
    min_texts : int
        Fewest texts a threshold must keep.
    resampling : Resampling
        Of N texts and S seeds.
    confidence : float
        Of the percentile intervals.

    Returns
    -------
    curves : DataFrame
        source, gamma, n_texts, accuracy, accuracy_low, accuracy_high, and constant (accuracy of always saying the kept
        texts' most frequent label); no rows where no threshold keeps enough texts.
    """
    gammas = choose_gammas(agreement, min_texts=min_texts)
    kept = agreement[:, None] >= gammas
    constant = [np.unique(gold[mask], return_counts=True)[1].max() / mask.sum() for mask in kept.T]
    rows = []
    for source, hits in right.items():
        accuracy, draws = trace_accuracy(hits, kept, resampling)
        for number, gamma in enumerate(gammas):
            row = {"source": source, "gamma": gamma, "n_texts": int(kept[:, number].sum())}
            row |= estimate("accuracy", accuracy[number], draws[:, number], confidence)
            rows.append(row | {"constant": constant[number]})
    return pd.DataFrame(rows, columns=["source", "gamma", "n_texts", *estimate_columns("accuracy"), "constant"])


def measure_trends(
    right: dict[str, np.ndarray],
    agreement: np.ndarray,
    gold: np.ndarray,
    *,
    min_texts: int,
    resampling: Resampling,
    confidence: float,
) -> pd.DataFrame:
    """Return how accuracy goes with the threshold, one row per source. For parameters see :func:`measure_curves`.

    Returns
    -------
    slopes : DataFrame
        source, n_thresholds, n_disputed (texts with a_i < 1); rho (Spearman, accuracy with gamma), slope (accuracy per
        unit of gamma), gap (accuracy where a_i = 1 minus accuracy elsewhere), balanced (balanced accuracy on all
        texts), balanced_slope (of balanced accuracy), slope_minus_real and balanced_slope_minus_real (this slope minus
        that of ``real``), each with ``_low`` and ``_high``; NaN where undefined; note says why. Resamples in which a
        measure is undefined are left out of its interval.
    """
    gammas = choose_gammas(agreement, min_texts=min_texts)
    thresholds, kinds = agreement[:, None] >= gammas, np.column_stack([agreement == 1, agreement < 1])
    notes = [] if len(gammas) >= MIN_THRESHOLDS else [f"rho and slope undefined: {len(gammas)} threshold(s)"]
    enough = kinds.sum(axis=0).min() >= MIN_KIND
    notes += [] if enough else [f"gap undefined: fewer than {MIN_KIND} disputed or unanimous texts"]
    traced = {
        source: (trace_accuracy(hits, thresholds, resampling), trace_balanced(hits, thresholds, gold, resampling))
        for source, hits in right.items()
    }
    everything = np.ones((len(gold), 1), dtype=bool)
    rows = []
    for source, hits in right.items():
        row = {"source": source, "n_thresholds": len(gammas), "n_disputed": int(kinds[:, 1].sum())}
        if len(gammas) >= MIN_THRESHOLDS:
            row |= _describe_trend(gammas, traced[source], traced.get("real"), confidence)
        whole = (values[..., 0] for values in trace_balanced(hits, everything, gold, resampling))
        row |= estimate("balanced", *whole, confidence)
        if enough:
            gap = (values[..., 0] - values[..., 1] for values in trace_accuracy(hits, kinds, resampling))
            row |= estimate("gap", *gap, confidence)
        rows.append(row | {"note": "; ".join(notes)})
    measured = [name for measure in _TRENDS for name in estimate_columns(measure)]
    return pd.DataFrame(rows, columns=["source", "n_thresholds", "n_disputed", *measured, "note"])


def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a / b, NaN where b is 0."""
    return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b > 0)


def _describe_trend(gammas: np.ndarray, traced: _Traced, real: _Traced | None, confidence: float) -> dict[str, float]:
    rho = [correlate_ranks(values, np.broadcast_to(gammas, values.shape)) for values in traced[0]]
    row = estimate("rho", *rho, confidence)
    for place, name in enumerate(("slope", "balanced_slope")):
        slope = [fit_slope(gammas, values) for values in traced[place]]
        row |= estimate(name, *slope, confidence)
        if real is not None and real is not traced:
            apart = [own - fit_slope(gammas, values) for own, values in zip(slope, real[place], strict=True)]
            row |= estimate(f"{name}_minus_real", *apart, confidence)
    return row
