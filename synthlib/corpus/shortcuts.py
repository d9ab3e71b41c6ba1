"""Style shortcuts: how well form alone, without content, tells the labels of a task apart.

A classifier trained on texts in which form gives the label away may learn the form. So form is tested alone: the counts
of function words, and single surface measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import normalize

from synthlib import metrics
from synthlib.features import FeatureTable
from synthlib.surface import say_mark

SURFACE_MEASURES = (
    "n_words",
    "n_chars",
    "question",
    "exclamation",
    "final_stop",
    "hashtag",
    "mention",
    "digit",
    "emoji",
    "upper_share",
)


def balance(table: FeatureTable, labels: Sequence[str], *, n_per_label: int, rng: np.random.Generator) -> FeatureTable:
    """Return ``n_per_label`` rows of each label, drawn at random without replacement.

    Raises
    ------
    ValueError
        A label has fewer rows.
    """
    chosen = np.zeros(len(table.rows), dtype=bool)
    for label in labels:
        rows = np.flatnonzero(table.rows["label"] == label)
        if len(rows) < n_per_label:
            raise ValueError(f"{len(rows)} row(s) of label {label!r}; {n_per_label} are asked for")
        chosen[rng.permutation(rows)[:n_per_label]] = True
    return table.where(chosen)


def score_function_words(
    tables: Mapping[str, FeatureTable],
    labels: Sequence[str],
    *,
    n_repeats: int,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return Macro-F1 of logistic regressions that see only function words, within a source and from it to real text.

    Counts are scaled to unit length, so that the length of a text tells next to nothing. Within a source: repeated
    five-fold cross-validation. To real: trained on all rows of the source, tested on all real ones.

    Parameters
    ----------
    tables : mapping of str to FeatureTable
        Rows by source, equally many of each label in each (:func:`balance`); ``real`` among them.
    n_repeats : int
        Cross-validations, each with new folds.
    n_resamples : int
        Bootstrap resamples of rows and repeats for the intervals. Training is not repeated on them, so the intervals
        are a little short.

    Returns
    -------
    scores : DataFrame
        setting (the source), label (``all``), measure (function_words_f1, function_words_to_real_f1), value, value_low,
        value_high. Guessing has Macro-F1 of about 1 / number of labels.

    Raises
    ------
    ValueError
        A label has fewer than two rows in a source.
    """
    rows = []
    real, real_gold = _inputs(tables["real"], labels)
    for source, table in tables.items():
        x, gold = _inputs(table, labels)
        found = {"function_words_f1": (gold, _cross_validate(x, gold, n_repeats, rng))}
        if source != "real":
            found["function_words_to_real_f1"] = (real_gold, LogisticRegression().fit(x, gold).predict(real)[None])
        for measure, (truth, predicted) in found.items():
            resampling = metrics.draw_resampling(len(truth), len(predicted), n_resamples=n_resamples, rng=rng)
            scores = metrics.bootstrap_scores(truth, predicted, n_labels=len(labels), resampling=resampling)
            rows.append((source, "all", measure, scores.f1, *metrics.interval(scores.f1_draws, confidence=confidence)))
    return pd.DataFrame(rows, columns=["setting", "label", "measure", "value", "value_low", "value_high"])


def find_best_mark(table: FeatureTable, label: str) -> dict[str, object]:
    """Return the single surface measure, cut at one threshold, that best tells a label from the others.

    Returns
    -------
    mark : dict
        measure, threshold, side (``above`` or ``up to``: where the label lies), and accuracy: balanced accuracy, the
        mean of the shares of the label and of the others told right. Guessing has 0.5; measure and threshold are chosen
        on these rows, so the best of many meaningless ones has a little more.

    Raises
    ------
    ValueError
        All rows have the label, or none.

    Examples
    --------
    >>> rows = pd.DataFrame({"label": ["joke", "joke", "fact"], **{name: [0, 0, 0] for name in SURFACE_MEASURES}})
    >>> rows["question"] = [1, 1, 0]
    >>> find_best_mark(FeatureTable(rows, np.zeros((3, 2)), np.zeros((3, 1))), "joke")
    {'measure': 'question', 'threshold': 0.0, 'side': 'above', 'accuracy': 1.0}
    """
    is_label = (table.rows["label"] == label).to_numpy()
    if is_label.all() or not is_label.any():
        raise ValueError(f"{is_label.sum()} of {len(is_label)} rows have label {label!r}; there must be others too")
    best: dict[str, object] = {"accuracy": 0.0}
    for measure in SURFACE_MEASURES:
        values = table.rows[measure].to_numpy(dtype=float)
        cuts = np.unique(values)  # (C,)
        up_to = [np.searchsorted(np.sort(values[rows]), cuts, "right") / rows.sum() for rows in (is_label, ~is_label)]
        difference = up_to[0] - up_to[1]  # (C,)
        cut = int(np.abs(difference).argmax())
        accuracy = float(1 + abs(difference[cut])) / 2
        if accuracy > best["accuracy"]:
            side = "up to" if difference[cut] > 0 else "above"
            best = {"measure": measure, "threshold": float(cuts[cut]), "side": side, "accuracy": accuracy}
    return best


def find_best_marks(
    tables: Mapping[str, FeatureTable],
    labels: Sequence[str],
    *,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return :func:`find_best_mark` of each label in each source.

    Returns
    -------
    marks : DataFrame
        setting (the source), label, mark (in words), measure (``best_mark``), value, value_low, value_high: balanced
        accuracy, with a bootstrap interval over rows for the mark as chosen.
    """
    found = []
    for source, table in tables.items():
        for label in labels:
            best = find_best_mark(table, label)
            above = table.rows[best["measure"]].to_numpy(dtype=float) > best["threshold"]
            told = above == (best["side"] == "above")
            is_label = (table.rows["label"] == label).to_numpy()
            draws = [
                rng.binomial(rows.sum(), right[rows].mean(), n_resamples) / rows.sum()
                for rows, right in ((is_label, told), (~is_label, ~told))
            ]
            mark = say_mark(best["measure"], best["threshold"], best["side"])
            interval = metrics.interval(np.mean(draws, axis=0), confidence=confidence)
            found.append((source, label, mark, "best_mark", best["accuracy"], *interval))
    return pd.DataFrame(found, columns=["setting", "label", "mark", "measure", "value", "value_low", "value_high"])


def _cross_validate(x: np.ndarray, gold: np.ndarray, n_repeats: int, rng: np.random.Generator) -> np.ndarray:
    fewest = int(np.bincount(gold).min())
    if fewest < 2:
        raise ValueError(f"a label has {fewest} row(s); cross-validation needs at least 2")
    predicted = np.empty((n_repeats, len(gold)), dtype=np.int64)
    for repeat in range(n_repeats):
        folds = StratifiedKFold(min(5, fewest), shuffle=True, random_state=int(rng.integers(2**31)))
        predicted[repeat] = cross_val_predict(LogisticRegression(), x, gold, cv=folds)
    return predicted


def _inputs(table: FeatureTable, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    gold = table.rows["label"].map({label: i for i, label in enumerate(labels)}).to_numpy()
    return normalize(table.function_words.astype(np.float64)), gold
