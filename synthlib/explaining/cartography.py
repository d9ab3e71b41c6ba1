"""Maps of a training set: how sure classifiers are of their own texts while they learn (Swayamdipta et al. 2020)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from synthlib.train import Hyperparameters, Run, fit_predict

REGIONS = {"easy": "easy to learn", "ambiguous": "ambiguous", "hard": "hard to learn"}


def record_stages(
    features: np.ndarray,
    labels: np.ndarray,
    runs: Sequence[Run],
    rows: np.ndarray,
    *,
    n_labels: int,
    stages: Sequence[int],
    hyperparameters: Hyperparameters,
) -> np.ndarray:
    """Return the probability that classifiers give to the labels of training rows, at several lengths of training.

    Each stage is a training of its own from the same weights and with the same first batches, and ends with a learning
    rate of zero: so every stage is a classifier one could have stopped at.

    Parameters
    ----------
    features : ndarray of float32, shape (N, D)
        Vectors of all rows.
    labels : ndarray of int, shape (N,)
        Label indices.
    runs : sequence of Run, length M
        Which rows each classifier learns from.
    rows : ndarray of int, shape (n,)
        Rows to ask for.
    stages : sequence of int, length C
        Optimiser steps of each stage.
    hyperparameters : Hyperparameters
        Of the training; its ``n_steps`` is not used.

    Returns
    -------
    probabilities : ndarray of float32, shape (C, M, n)
        Of each row's own label.

    Raises
    ------
    ValueError
        There are fewer than two stages, or one is below 1; else see :func:`synthlib.train.fit_predict`.
    """
    if len(stages) < 2 or min(stages) < 1:
        raise ValueError(f"stages are {list(stages)}; give two or more numbers of steps, each at least 1")
    own = np.empty((len(stages), len(runs), len(rows)), dtype=np.float32)
    for place, n_steps in enumerate(stages):
        at = dataclasses.replace(hyperparameters, n_steps=n_steps)
        probabilities, _ = fit_predict(features, labels, runs, features[rows], n_labels=n_labels, hyperparameters=at)
        own[place] = np.take_along_axis(probabilities, labels[rows][None, :, None], axis=-1)[..., 0]  # (M, n, K)
    return own


def draw_map(own: np.ndarray, *, share: float) -> pd.DataFrame:
    """Return the place of each text on the map, means over classifiers.

    Parameters
    ----------
    own : ndarray, shape (C, M, n)
        Probability of the own label of n texts, at C stages of M classifiers that learn from them.
    share : float
        Of the texts, so many with the lowest confidence are called hard, and so many with the highest variability among
        the others ambiguous; the rest is easy.

    Returns
    -------
    cartography : DataFrame, one row per text
        confidence (mean over stages), variability (standard deviation over stages), correctness (share of stages with
        more than half of the probability on the own label), region (hard, ambiguous or easy).

    References
    ----------
    Swayamdipta et al. (2020), Dataset Cartography, section 2.

    Examples
    --------
    >>> own = np.array([[[0.9, 0.1, 0.2, 0.9]], [[0.9, 0.3, 1.0, 0.9]]])  # 2 stages of 1 classifier, 4 texts
    >>> draw_map(own, share=0.25).round(2).values.tolist()[1:3]
    [[0.2, 0.1, 0.0, 'hard'], [0.6, 0.4, 0.5, 'ambiguous']]
    """
    own = np.asarray(own, dtype=np.float64)
    confidence, variability = own.mean((0, 1)), own.std(0).mean(0)
    n_taken = round(share * len(confidence))
    region = np.full(len(confidence), "easy", dtype=object)
    hard = np.argsort(confidence, kind="stable")[:n_taken]
    region[hard] = "hard"
    rest = np.setdiff1d(np.arange(len(confidence)), hard)
    region[rest[np.argsort(-variability[rest], kind="stable")[:n_taken]]] = "ambiguous"
    columns = {"confidence": confidence, "variability": variability, "correctness": (own > 0.5).mean((0, 1))}
    return pd.DataFrame(columns | {"region": region})


def list_examples(texts: pd.DataFrame, *, n_texts: int, n_chars: int) -> pd.DataFrame:
    """Return the hardest and the most ambiguous texts of each setting, cut short for a table.

    Parameters
    ----------
    texts : DataFrame
        setting, label, text, confidence, variability, region and, optionally, other_label (what a model trained on real
        texts says).

    Returns
    -------
    examples : DataFrame
        setting, region, label, other_label, confidence, variability, text.
    """
    parts = []
    for (_, region), rows in texts[texts["region"] != "easy"].groupby(["setting", "region"], sort=False):
        column, ascending = ("confidence", True) if region == "hard" else ("variability", False)
        parts.append(rows.sort_values(column, ascending=ascending).head(n_texts))
    columns = ["setting", "region", "label", "other_label", "confidence", "variability", "text"]
    found = pd.concat(parts, ignore_index=True).reindex(columns=columns)
    found["text"] = [text if len(text) <= n_chars else text[: n_chars - 1].rstrip() + "…" for text in found["text"]]
    return found.sort_values(["setting", "region"], ascending=[True, False], kind="stable", ignore_index=True)
