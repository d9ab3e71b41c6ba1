"""From predictions to scores by training source, with intervals, and to differences between sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from synthlib import metrics
from synthlib.features import FeatureTable
from synthlib.intervals import estimate
from synthlib.metrics import Resampling, Scores

#: The comparisons of the study's Table 1 and of this project: the first source minus the second.
CONTRASTS = (
    ("real", "zero_shot"),
    ("real", "few_shot"),
    ("real", "attributed"),
    ("real", "zero_shot+attributed"),
    ("real", "real_matched"),
    ("real_matched", "zero_shot"),
    ("few_shot", "zero_shot"),
    ("attributed", "zero_shot"),
    ("few_shot", "pool"),
    ("pool", "zero_shot"),
    ("pool+few_shot", "pool"),
)


def score_runs(
    plan: pd.DataFrame,
    gold: np.ndarray,
    predicted: np.ndarray,
    *,
    by: Sequence[str],
    n_labels: int,
    resampling: Resampling,
    confidence: float,
) -> pd.DataFrame:
    """Return mean scores over seeds with their intervals, one row a group of runs.

    Parameters
    ----------
    plan : DataFrame
        One classifier per row: the columns ``by``, n_train, seed and run.
    gold : ndarray of int, shape (N,)
        Gold labels of the test rows.
    predicted : ndarray of int, shape (M, N)
        Predicted labels of every run.
    by : sequence of str
        Columns that tell the groups apart; all groups have the same number of seeds.
    resampling : Resampling
        Of N rows and the seeds of a group.

    Returns
    -------
    scores : DataFrame
        ``by``, n_train (mean over seeds), seeds, f1, f1_low, f1_high, accuracy, accuracy_low, accuracy_high.
    """
    rows = []
    for values, group in plan.groupby(list(by), sort=False, dropna=False):
        scores = metrics.bootstrap_scores(gold, predicted[group["run"]], n_labels=n_labels, resampling=resampling)
        row = dict(zip(by, values, strict=True)) | {"n_train": round(group["n_train"].mean()), "seeds": len(group)}
        rows.append(row | estimate("f1", scores.f1, scores.f1_draws, confidence))
        rows[-1] |= estimate("accuracy", scores.accuracy, scores.accuracy_draws, confidence)
    return pd.DataFrame(rows)


def score_predictions(
    predictions: pd.DataFrame, label_names: Sequence[str], *, n_resamples: int, rng: np.random.Generator
) -> dict[str, Scores]:
    """Return the scores of every source in a table of predictions, all on the same resamples.

    Parameters
    ----------
    predictions : DataFrame
        source, seed, key, label, predicted, on one test set of one task.

    Raises
    ------
    ValueError
        Two sources were tested on different texts, or do not have the same number of seeds.
    """
    n_keys, n_seeds = predictions["key"].nunique(), predictions["seed"].nunique()
    return score_on(
        predictions, label_names, metrics.draw_resampling(n_keys, n_seeds, n_resamples=n_resamples, rng=rng)
    )


def score_on(predictions: pd.DataFrame, label_names: Sequence[str], resampling: Resampling) -> dict[str, Scores]:
    """Return what :func:`score_predictions` does, on resamples already drawn (of the texts in the order of their keys).

    Raises
    ------
    ValueError
        As there, or the resampling is of another number of texts or seeds.
    """
    index = {label: number for number, label in enumerate(label_names)}
    numbers = predictions.assign(label=predictions["label"].map(index), predicted=predictions["predicted"].map(index))
    wide = numbers.pivot(index="key", columns=["source", "seed"], values="predicted")
    if wide.isna().to_numpy().any():
        raise ValueError("not every source and seed has a prediction for every text")
    gold = numbers.drop_duplicates("key").set_index("key").loc[wide.index, "label"].to_numpy()
    return {
        source: metrics.bootstrap_scores(
            gold, wide[source].to_numpy(dtype=np.int64).T, n_labels=len(index), resampling=resampling
        )
        for source in predictions["source"].unique()
    }


def contrast(scores: dict[str, Scores], pairs: Iterable[tuple[str, str]], *, confidence: float) -> pd.DataFrame:
    """Return differences between sources with paired intervals, one row per pair that ``scores`` has.

    Returns
    -------
    differences : DataFrame
        first, second, f1, f1_low, f1_high, accuracy, accuracy_low, accuracy_high: first minus second, fractions.
    """
    rows = []
    for first, second in pairs:
        if first in scores and second in scores:
            difference = subtract(scores[first], scores[second])
            row = {"first": first, "second": second}
            row |= estimate("f1", difference.f1, difference.f1_draws, confidence)
            rows.append(row | estimate("accuracy", difference.accuracy, difference.accuracy_draws, confidence))
    return pd.DataFrame(rows)


def measure_mixing_gains(
    plan: pd.DataFrame,
    gold: np.ndarray,
    predicted: np.ndarray,
    *,
    n_labels: int,
    resampling: Resampling,
    confidence: float,
) -> pd.DataFrame:
    """Return what synthetic texts add to so many real ones, paired, with intervals. For parameters see `score_runs`.

    Returns
    -------
    gains : DataFrame
        n_per_label (real texts; those that are also used alone), gain, gain_low, gain_high: Macro-F1 of real and
        synthetic texts minus that of the same real ones alone (fractions).
    """
    mixing = plan[plan["experiment"] == "mixing"]
    rows = []
    for n, part in mixing.groupby("n_per_label"):
        runs = {source: found["run"] for source, found in part.groupby("source")}
        if {"real", "real+synthetic"} <= set(runs):
            together, alone = (
                metrics.bootstrap_scores(gold, predicted[runs[source]], n_labels=n_labels, resampling=resampling)
                for source in ("real+synthetic", "real")
            )
            gain = subtract(together, alone)
            rows.append({"n_per_label": n} | estimate("gain", gain.f1, gain.f1_draws, confidence))
    return pd.DataFrame(rows, columns=["n_per_label", "gain", "gain_low", "gain_high"])


def subtract(first: Scores, second: Scores) -> Scores:
    """Return first minus second, draw by draw: both must be of the same resamples."""
    return Scores(
        first.f1 - second.f1,
        first.accuracy - second.accuracy,
        first.f1_draws - second.f1_draws,
        first.accuracy_draws - second.accuracy_draws,
    )


def average_contrast(
    by_task: dict[str, dict[str, Scores]], pairs: Iterable[tuple[str, str]], *, confidence: float
) -> pd.DataFrame:
    """Return the mean over tasks of :func:`contrast`; the interval holds the tasks fixed (rows and seeds vary).

    Raises
    ------
    ValueError
        There is no task.
    """
    if not by_task:
        raise ValueError("no task to average over")
    averaged = {}
    for source in set.intersection(*(set(scores) for scores in by_task.values())):
        of_tasks = [scores[source] for scores in by_task.values()]
        averaged[source] = Scores(
            float(np.mean([s.f1 for s in of_tasks])),
            float(np.mean([s.accuracy for s in of_tasks])),
            np.mean([s.f1_draws for s in of_tasks], axis=0),
            np.mean([s.accuracy_draws for s in of_tasks], axis=0),
        )
    return contrast(averaged, pairs, confidence=confidence)


def say_points(row: Any, name: str, *, signed: bool = False) -> str:
    """Return a score and its interval in points for a sentence, from a row with ``name``, ``name_low``, ``name_high``.

    Examples
    --------
    >>> say_points(pd.Series({"f1": 0.104, "f1_low": 0.08, "f1_high": 0.12}), "f1", signed=True)
    '+10.4 (+8.0 to +12.0)'
    """
    value, low, high = (100 * getattr(row, name + end) for end in ("", "_low", "_high"))
    sign = "+" if signed else ""
    return f"{value:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"


def tabulate_predictions(
    plan: pd.DataFrame,
    probabilities: np.ndarray,
    test_sets: dict[str, FeatureTable],
    labels: Sequence[str],
    *,
    task: str,
    classifier: str,
) -> pd.DataFrame:
    """Return the main sources' predictions by key, one row per classifier and text.

    Parameters
    ----------
    plan : DataFrame
        From :func:`synthlib.sources.plan_runs`.
    probabilities : ndarray of float32, shape (M, T, K)
        T texts of all test sets, one set after the other.
    test_sets : dict of FeatureTable
        By name; a set without a label column (people's votes) has missing gold labels.
    classifier : str
        Its kind: frozen, fine_tuned, tfidf or majority.

    Returns
    -------
    predictions : DataFrame
        task, test_set, source, n_train, seed, key, label, predicted, probabilities (K, in the order of
        ``labels``), classifier.
    """
    texts = pd.concat(
        [table.rows.reindex(columns=["key", "label"]).assign(test_set=name) for name, table in test_sets.items()]
    )
    frames = []
    for row in plan[plan["experiment"] == "main"].itertuples():
        predicted = np.asarray(labels, dtype=object)[probabilities[row.run].argmax(-1)]
        frame = texts.assign(task=task, source=row.source, n_train=row.n_train, seed=row.seed, predicted=predicted)
        frames.append(frame.assign(probabilities=list(probabilities[row.run].astype(np.float16))))
    columns = ["task", "test_set", "source", "n_train", "seed", "key", "label", "predicted", "probabilities"]
    return pd.concat(frames, ignore_index=True)[columns].assign(classifier=classifier)


def tabulate_confusions(predictions: pd.DataFrame, sources: Sequence[str]) -> pd.DataFrame:
    """Return how each label's texts were predicted, over all seeds: source, label, predicted, share (of the label)."""
    chosen = predictions[predictions["source"].isin(sources)]
    order = sorted({*chosen["label"].unique(), *chosen["predicted"].unique()})
    frames = []
    for source in sources:
        rows = chosen[chosen["source"] == source]
        shares = pd.crosstab(rows["label"], rows["predicted"], normalize="index").reindex(columns=order, fill_value=0.0)
        frames.append(shares.reset_index().melt("label", value_name="share").assign(source=source))
    return pd.concat(frames, ignore_index=True)
