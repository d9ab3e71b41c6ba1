"""How close texts are to others: mean cosine similarity to the nearest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from synthlib.diversity import draw_balanced, normalise

if TYPE_CHECKING:
    from synthlib.features import FeatureTable

_BLOCK = 1024  # rows of a block of similarities


def measure_nearest(features: np.ndarray, others: np.ndarray, *, n_nearest: int) -> np.ndarray:
    """Return for each text the mean cosine similarity to the ``n_nearest`` most similar of the others.

    The study's appendix takes "the mean of the five nearest real-synthetic pairs"; read here as the mean over synthetic
    texts of the mean over each one's five nearest real texts. Similarities are made in blocks.

    Parameters
    ----------
    features : ndarray, shape (n, D)
        Vectors of the texts, say synthetic ones.
    others : ndarray, shape (m, D)
        Vectors of the texts they are compared with, say real ones. More of them give higher values.

    Returns
    -------
    similarities : ndarray of float64, shape (n,)
        One mean a text, -1 to 1.

    Raises
    ------
    ValueError
        ``n_nearest`` is below 1 or above m, or a vector is zero or not finite.

    Examples
    --------
    >>> real = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> measure_nearest(np.array([[2.0, 0.0]]), real, n_nearest=2).tolist()  # cosines 1, 0 and -1
    [0.5]
    """
    unit, others = normalise(features), normalise(others)
    if not 1 <= n_nearest <= len(others):
        raise ValueError(f"n_nearest is {n_nearest}; it must lie between 1 and {len(others)}, the number of others")
    means = np.empty(len(unit))
    for start in range(0, len(unit), _BLOCK):
        best = np.empty((len(unit[start : start + _BLOCK]), 0), dtype=np.float32)  # (b, 0), then (b, n_nearest)
        for column in range(0, len(others), _BLOCK):
            similarities = unit[start : start + _BLOCK] @ others[column : column + _BLOCK].T  # (b, c)
            best = np.concatenate([best, similarities], axis=1)
            best = -np.partition(-best, min(n_nearest, best.shape[1]) - 1, axis=1)[:, :n_nearest]
        means[start : start + _BLOCK] = best.mean(axis=1, dtype=np.float64)
    return means


def measure_similarity(
    features: np.ndarray,
    others: np.ndarray,
    *,
    n_nearest: int,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return value, value_low and value_high of the mean over texts of :func:`measure_nearest`.

    The interval is the percentile bootstrap over the n texts; ``others`` are taken as they are. For parameters and
    errors see :func:`measure_nearest`.
    """
    similarities = measure_nearest(features, others, n_nearest=n_nearest)
    result = stats.bootstrap(
        (similarities,),
        np.mean,
        n_resamples=n_resamples,
        batch=max(1, 4_000_000 // len(similarities)),
        confidence_level=confidence,
        method="percentile",
        rng=rng,
    )
    low, high = result.confidence_interval
    return {"value": float(similarities.mean()), "value_low": float(low), "value_high": float(high)}


def compare_sources(
    tables: dict[str, FeatureTable],
    test: FeatureTable,
    *,
    n_per_label: int,
    n_nearest: int,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return how close the texts of each source of a task are to real ones, and real ones to them.

    Parameters
    ----------
    tables : dict
        Source to texts; ``real`` are the training texts, with column pool.
    test : FeatureTable
        Real texts of the test split. As many a label as there are of the scarcest stand in for the real source where it
        would be compared with itself.
    n_per_label : int
        Texts per label of each source that test texts are compared with.

    Returns
    -------
    similarity : DataFrame
        A row per source and comparison: source, reference, value, value_low, value_high. ``training``: source to real
        training texts; ``outside_pool``: to those not in the few-shot pool; ``coverage``: real test texts to a source.

    Raises
    ------
    ValueError
        A label of a source has fewer than ``n_per_label`` texts, or see :func:`measure_nearest`.
    """
    options = {"n_nearest": n_nearest, "n_resamples": n_resamples, "confidence": confidence, "rng": rng}
    train, scarcest = tables["real"], test.rows["label"].value_counts().min()
    rows = []
    for name, table in tables.items():
        drawn = table.features[draw_balanced(table.rows["label"], n_per_label, rng=rng, most=1.0)]
        asked = table.features
        if name == "real":
            asked = test.features[draw_balanced(test.rows["label"], scarcest, rng=rng, most=1.0)]
        pairs = {
            "training": (asked, train.features),
            "outside_pool": (asked, train.features[~train.rows["pool"]]),
            "coverage": (test.features, drawn),
        }
        for reference, pair in pairs.items():
            rows.append({"source": name, "reference": reference} | measure_similarity(*pair, **options))
    return pd.DataFrame(rows)


def list_gains(similarity: pd.DataFrame, than: str) -> pd.DataFrame:
    """Return how much closer the settings are than setting ``than``: task, reference, setting, gain."""
    wide = similarity.pivot(index=["task", "reference"], columns="source", values="value")
    gains = wide.drop(columns=["real", than]).sub(wide[than], axis=0)
    return gains.melt(ignore_index=False, var_name="setting", value_name="gain").reset_index()
