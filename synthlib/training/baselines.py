"""Baselines that every reader asks for: always the commonest label, and TF-IDF with logistic regression.

Both take the runs of :mod:`synthlib.train` and return probabilities of the same shape as :mod:`synthlib.finetune`, so
that their predictions are tabulated and scored like any other classifier's.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from synthlib.train import Run

N_FOLDS = 5


def predict_majority(labels: np.ndarray, runs: Sequence[Run], n_test: int, *, n_labels: int) -> np.ndarray:
    """Return the shares of the labels among each run's rows as the probabilities of every test text.

    Their highest is the commonest label, of several equally common ones the first.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        Label indices of all training rows, 0 to K - 1.
    runs : sequence of Run, length M
        Whose rows are counted; their seeds do not matter.
    n_test : int
        T, how many texts are predicted.
    n_labels : int
        K.

    Returns
    -------
    probabilities : ndarray of float32, shape (M, T, K)
        The same for every text of a run.

    Raises
    ------
    ValueError
        A run has no rows, or a label is not of 0 to K - 1.

    Examples
    --------
    >>> predict_majority(np.array([0, 1, 1, 1]), [Run(np.arange(4), 0)], 1, n_labels=2).tolist()
    [[[0.25, 0.75]]]
    """
    counts = np.stack([np.bincount(rows, minlength=n_labels) for rows in _check_labels(labels, runs, n_labels)])
    shares = (counts / counts.sum(1, keepdims=True)).astype(np.float32)  # (M, K)
    return np.repeat(shares[:, None], n_test, axis=1)


def fit_predict_tfidf(
    texts: Sequence[str],
    labels: np.ndarray,
    runs: Sequence[Run],
    test_texts: Sequence[str],
    *,
    n_labels: int,
    strengths: Sequence[float],
    progress: str | None = None,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the test probabilities of one TF-IDF classifier per run, and what was chosen for it.

    Lower-case words of two letters or more and pairs of neighbouring ones, weighted by (1 + log count) times inverse
    document frequency, texts at length one; then logistic regression. A run never sees words or frequencies of other
    rows than its own. A text without a known word gets the probabilities of the intercept.

    Parameters
    ----------
    texts : sequence of str, length N
        All training texts of all sources.
    labels : ndarray of int, shape (N,)
        Label indices, 0 to K - 1.
    runs : sequence of Run, length M
        Which rows each classifier learns from, and the seed of its folds. Runs with the same rows are fitted once, with
        the seed of the first: nothing else about them is random.
    test_texts : sequence of str, length T
        Texts to predict.
    n_labels : int
        K.
    strengths : sequence of float
        Values of C (high: weak regularisation). One is taken as it is; of several, the one with the best Macro-F1 in
        five-fold cross-validation on the run's own rows (fewer folds where a label has fewer rows).
    progress : str, optional
        Title of a progress bar over runs; None shows none.

    Returns
    -------
    probabilities : ndarray of float32, shape (M, T, K)
        In the order of ``runs`` and ``test_texts``.
    history : DataFrame, one row per run
        run, strength (the C taken), n_terms (words and pairs known), f1 (cross-validated on the run's rows, a fraction;
        missing where one strength was given).

    Raises
    ------
    ValueError
        A run has no rows or lacks a label, a label has one row where folds are needed, no strength or one that is not
        positive is given, or the texts of a run hold no word.
    """
    if not len(strengths) or min(strengths) <= 0:
        raise ValueError(f"strengths are {list(strengths)}; give one positive C or more")
    labels, texts = np.asarray(labels), np.asarray(texts, dtype=object)
    for number, of_run in enumerate(_check_labels(labels, runs, n_labels)):
        counts = np.bincount(of_run, minlength=n_labels)
        if counts.min() < (2 if len(strengths) > 1 else 1):
            raise ValueError(
                f"run {number} has {counts.min()} row(s) of label {counts.argmin()}; too few to learn from"
            )
    probabilities = np.empty((len(runs), len(test_texts), n_labels), dtype=np.float32)
    history, known = [], {}
    for number, run in enumerate(tqdm(runs, desc=progress, unit="classifier", disable=progress is None)):
        alike = run.rows.tobytes()
        if alike not in known:
            known[alike] = number
            chosen, model = _fit(texts[run.rows], labels[run.rows], run.seed, strengths, number)
            history.append(chosen)
            probabilities[number] = model.predict_proba(test_texts)
        else:
            history.append(history[known[alike]])
            probabilities[number] = probabilities[known[alike]]
    return probabilities, pd.DataFrame(history).rename_axis("run").reset_index()


def _fit(
    texts: np.ndarray, labels: np.ndarray, seed: int, strengths: Sequence[float], number: int
) -> tuple[dict[str, float], Pipeline]:
    model = Pipeline(
        [
            ("words", TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)),
            ("regression", LogisticRegression(C=strengths[0], max_iter=1000)),
        ]
    )
    score = np.nan
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            if len(strengths) > 1:
                folds = StratifiedKFold(min(N_FOLDS, int(np.bincount(labels).min())), shuffle=True, random_state=seed)
                search = GridSearchCV(
                    model, {"regression__C": list(strengths)}, scoring="f1_macro", cv=folds, error_score="raise"
                ).fit(texts, labels)
                model, score = search.best_estimator_, float(search.best_score_)
            else:
                model.fit(texts, labels)
    except (ValueError, ConvergenceWarning) as error:
        raise ValueError(f"run {number} cannot be fitted on its {len(texts)} texts: {error}") from None
    n_terms = len(model.named_steps["words"].vocabulary_)
    return {"strength": float(model.named_steps["regression"].C), "n_terms": n_terms, "f1": score}, model


def _check_labels(labels: np.ndarray, runs: Sequence[Run], n_labels: int) -> list[np.ndarray]:
    """Return the labels of each run's rows."""
    labels = np.asarray(labels)
    bad = sorted(set(labels.tolist()) - set(range(n_labels)))
    if bad:
        raise ValueError(f"label(s) {bad[:5]} are not of 0..{n_labels - 1}")
    for number, run in enumerate(runs):
        if not len(run.rows):
            raise ValueError(f"run {number} has no rows")
    return [labels[run.rows] for run in runs]
