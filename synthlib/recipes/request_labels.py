"""Classifiers that learn what was drawn for a text from the text: labels that cost nothing, as they were in the prompt.

Each label is learnt twice: from encoder vectors, and from style alone (function words, length, marks), the shortcut.
The rows held out of a fold score it within a recipe; the same classifiers score it on another recipe's texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler, normalize

from synthlib import metrics, train
from synthlib.corpus.shortcuts import SURFACE_MEASURES
from synthlib.features import FeatureTable


@dataclass(frozen=True)
class Fold:
    """One part of a cross-validation: the run that learns from the other parts, and the rows it is tested on."""

    run: train.Run
    held_out: np.ndarray


def draw_folds(
    gold: np.ndarray, rows: np.ndarray, groups: np.ndarray, *, n_folds: int, seeds: Sequence[int]
) -> list[list[Fold]]:
    """Return the folds of one cross-validation per seed, stratified by label; no group is on both sides of a fold.

    Parameters
    ----------
    gold : ndarray of int, shape (N,)
        Labels of all texts.
    rows : ndarray of int
        The texts to learn from and to be tested on.
    groups : ndarray, shape (N,)
        Texts of one group stay together (a textbook's topic).

    Raises
    ------
    ValueError
        A label has fewer texts than there are folds, or there are fewer groups than folds.
    """
    fewest = int(np.bincount(gold[rows], minlength=2).min())
    if fewest < n_folds:
        raise ValueError(f"a label has {fewest} text(s), too few for {n_folds} folds")
    if len(set(groups[rows])) < n_folds:
        raise ValueError(f"{len(set(groups[rows]))} group(s), too few for {n_folds} folds")
    drawn = []
    for seed in seeds:
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        parts = splitter.split(rows, gold[rows], groups[rows])
        drawn.append([Fold(train.Run(rows[learnt], seed), rows[left]) for learnt, left in parts])
    return drawn


def score_label(
    table: FeatureTable,
    gold: np.ndarray,
    groups: np.ndarray,
    *,
    n_folds: int,
    seeds: Sequence[int],
    hyperparameters: train.Hyperparameters,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return Macro-F1 of one label, learnt from each recipe and tested on it (held-out folds) and on the others.

    Parameters
    ----------
    table : FeatureTable
        Texts of one or more recipes (column recipe).
    gold : ndarray of int, shape (N,)
        Label indices, 0 to K - 1, each in every recipe.
    groups : ndarray, shape (N,)
        As for :func:`draw_folds`.

    Returns
    -------
    scores : DataFrame
        trained_on, tested_on, learner (encoder; style; majority: always the commonest training label), n_train (texts
        of a fold's classifier), n_test, f1, f1_low, f1_high, and gain, gain_low, gain_high: f1 minus that of style, on
        the same resamples of texts and classifiers.
    """
    n_labels = int(gold.max()) + 1
    learners = {
        "encoder": lambda runs: _predict_with_heads(table.features, gold, runs, n_labels, hyperparameters),
        "style": lambda runs: _predict_with_style(measure_style(table), gold, runs),
        "majority": lambda runs: np.stack([np.full(len(gold), np.bincount(gold[run.rows]).argmax()) for run in runs]),
    }
    recipes = table.rows["recipe"].to_numpy()
    rows = []
    for trained_on in pd.unique(recipes):
        folds = draw_folds(gold, np.flatnonzero(recipes == trained_on), groups, n_folds=n_folds, seeds=seeds)
        predicted = {name: predict([fold.run for part in folds for fold in part]) for name, predict in learners.items()}
        for tested_on in pd.unique(recipes):
            tested = np.flatnonzero(recipes == tested_on)
            held_out = folds if tested_on == trained_on else None
            taken = {name: _take(every, folds=held_out, rows=tested) for name, every in predicted.items()}
            scores = _score(gold[tested], taken, n_labels, n_resamples=n_resamples, confidence=confidence, rng=rng)
            n_train = len(folds[0][0].run.rows)
            rows += [(trained_on, tested_on, name, n_train, len(tested), *values) for name, values in scores.items()]
    names = ["trained_on", "tested_on", "learner", "n_train", "n_test"]
    return pd.DataFrame(rows, columns=[*names, "f1", "f1_low", "f1_high", "gain", "gain_low", "gain_high"])


def count_gains(scores: pd.DataFrame) -> pd.DataFrame:
    """Return how often the encoder's classifiers beat style alone, within a recipe and across recipes.

    Parameters
    ----------
    scores : DataFrame
        Of :func:`score_label`, of one or more labels.

    Returns
    -------
    counts : DataFrame, indexed by tested_on (``same`` recipe or ``other``)
        cases, f1 (mean of the encoder's), better and worse (the interval of the gain leaves out 0).
    """
    scores = scores[scores["learner"] == "encoder"]
    same = (scores["trained_on"] == scores["tested_on"]).map({True: "same", False: "other"}).rename("tested_on")
    counted = scores.assign(better=scores["gain_low"] > 0, worse=scores["gain_high"] < 0, cases=1).groupby(same)
    return counted.agg({"cases": "sum", "f1": "mean", "better": "sum", "worse": "sum"})


def measure_style(table: FeatureTable) -> np.ndarray:
    """Return what a text looks like without its content, shape (N, W + S).

    Counts of W function words at length one, and S surface measures (length, marks) in standard deviations over all N.
    """
    shape = StandardScaler().fit_transform(table.rows[list(SURFACE_MEASURES)].to_numpy(dtype=float))
    return np.hstack([normalize(table.function_words.astype(float)), shape])


def _predict_with_heads(
    x: np.ndarray, gold: np.ndarray, runs: Sequence[train.Run], n_labels: int, hyperparameters: train.Hyperparameters
) -> np.ndarray:
    probabilities, _ = train.fit_predict(x, gold, runs, x, n_labels=n_labels, hyperparameters=hyperparameters)
    return probabilities.argmax(-1)  # (M, N)


def _predict_with_style(x: np.ndarray, gold: np.ndarray, runs: Sequence[train.Run]) -> np.ndarray:
    return np.stack([LogisticRegression(max_iter=1000).fit(x[run.rows], gold[run.rows]).predict(x) for run in runs])


def _take(predicted: np.ndarray, *, folds: list[list[Fold]] | None, rows: np.ndarray) -> np.ndarray:
    """Return predictions (S, n) of the rows: of each seed's held-out folds, or (no folds) of every classifier."""
    if folds is None:
        return predicted[:, rows]
    taken = np.empty((len(folds), predicted.shape[1]), dtype=predicted.dtype)
    runs = iter(predicted)
    for seed, part in enumerate(folds):
        for fold in part:
            taken[seed, fold.held_out] = next(runs)[fold.held_out]
    return taken[:, rows]


def _score(
    gold: np.ndarray,
    predicted: dict[str, np.ndarray],
    n_labels: int,
    *,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, tuple[float, ...]]:
    n_models = len(predicted["style"])
    resampling = metrics.draw_resampling(len(gold), n_models, n_resamples=n_resamples, rng=rng)
    scores = {
        name: metrics.bootstrap_scores(gold, rows, n_labels=n_labels, resampling=resampling)
        for name, rows in predicted.items()
    }
    found = {}
    for name, score in scores.items():
        low, high = metrics.interval(score.f1_draws, confidence=confidence)
        gained = metrics.interval(score.f1_draws - scores["style"].f1_draws, confidence=confidence)
        found[name] = (score.f1, low, high, score.f1 - scores["style"].f1, *gained)
    return found
