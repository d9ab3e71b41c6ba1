"""The irony case: what if a generator writes the tags by which the ironic test tweets were collected?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from synthlib import compare, metrics
from synthlib.explaining.repairs import Texts
from synthlib.intervals import estimate
from synthlib.train import Hyperparameters, Run, fit_predict

TASK, IRONIC = "tweet_irony", "irony"
TAGS = ("#irony", "#sarcasm", "#not")


def add_tags(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Return each text with one of the three tags at its end, drawn at random.

    Examples
    --------
    >>> add_tags(["Great, rain again."], np.random.default_rng(0))
    ['Great, rain again. #not']
    """
    return [f"{text} {TAGS[tag]}" for text, tag in zip(texts, rng.integers(len(TAGS), size=len(texts)), strict=True)]


def plan_tags(
    texts: Texts, settings: Sequence[str], seeds: Sequence[int], *, shares: Sequence[float], rng: np.random.Generator
) -> tuple[pd.DataFrame, list[Run], np.ndarray]:
    """Return classifiers of irony: from real texts, and from synthetic ones, a share of the ironic ones with a tag.

    Parameters
    ----------
    shares : sequence of float
        Shares of a setting's ironic texts that get a tag, 0 to 1; smaller draws are part of larger ones.

    Returns
    -------
    plan : DataFrame, one row per classifier
        source (``real`` or a setting), share (0 for ``real``), seed (0 to S - 1), n_train.
    runs : list of Run
        In the same order; rows from N on are tagged copies.
    tagged : ndarray of int
        The rows whose tagged copies follow the N rows of ``texts``.

    Raises
    ------
    ValueError
        A share is not between 0 and 1.
    """
    if any(not 0 <= share <= 1 for share in shares):
        raise ValueError(f"tag shares are {list(shares)}; each must lie between 0 and 1")
    ironic = list(texts.labels).index(IRONIC)
    of_setting = {setting: texts.find(setting) for setting in settings}
    tagged = np.concatenate([rows[texts.y[rows] == ironic] for rows in of_setting.values()])
    copy_of = {row: len(texts.y) + place for place, row in enumerate(tagged)}
    plan, runs = [], []
    for number, (seed, stream) in enumerate(zip(seeds, rng.spawn(len(seeds)), strict=True)):
        plan.append(("real", 0.0, number, len(texts.train.rows)))
        runs.append(Run(texts.find("real"), seed))
        for setting, rows in of_setting.items():
            order = stream.permutation(rows[texts.y[rows] == ironic])
            for share in shares:
                chosen = set(order[: round(share * len(order))].tolist())
                runs.append(Run(np.array([copy_of[row] if row in chosen else row for row in rows]), seed))
                plan.append((setting, share, number, len(rows)))
    return pd.DataFrame(plan, columns=["source", "share", "seed", "n_train"]), runs, tagged


def predict_test_sets(
    texts: Texts,
    raw: np.ndarray,
    tagged: tuple[np.ndarray, np.ndarray],
    runs: Sequence[Run],
    hyperparameters: Hyperparameters,
) -> dict[str, np.ndarray]:
    """Return the labels predicted for the cleaned and the raw test tweets.

    Parameters
    ----------
    raw : ndarray of float32, shape (T, D)
        Vectors of the raw tweets, in the order of ``texts.test``.
    tagged : tuple
        The rows that have tagged copies, and the vectors of the copies.

    Returns
    -------
    predicted : dict of ndarray of int, shape (M, T)
        By test set: cleaned, raw.
    """
    rows, vectors = tagged
    probabilities, _ = fit_predict(
        np.concatenate([texts.features, vectors]),
        np.concatenate([texts.y, texts.y[rows]]),
        runs,
        np.concatenate([texts.test.features, raw]),
        n_labels=len(texts.labels),
        hyperparameters=hyperparameters,
    )
    halves = np.split(probabilities.argmax(-1), 2, axis=1)
    return dict(zip(("cleaned", "raw"), halves, strict=True))


def score_tags(
    plan: pd.DataFrame,
    predicted: dict[str, np.ndarray],
    gold: np.ndarray,
    *,
    n_labels: int,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return Macro-F1 by test set, source and share of tagged texts, and its difference to real training text.

    Returns
    -------
    scores : DataFrame
        test_set, source, share, n_train, f1, f1_low, f1_high, and gain, gain_low, gain_high: minus the same classifier
        trained on real text, paired by test tweet and seed (fractions).
    """
    n_seeds = plan["seed"].nunique()
    resampling = metrics.draw_resampling(len(gold), n_seeds, n_resamples=n_resamples, rng=rng)
    rows = []
    for test_set, labels in predicted.items():
        scores = {
            group: metrics.bootstrap_scores(gold, labels[part.index], n_labels=n_labels, resampling=resampling)
            for group, part in plan.groupby(["source", "share"], sort=False)
        }
        for (source, share), score in scores.items():
            row = {"test_set": test_set, "source": source, "share": share}
            row |= estimate("f1", score.f1, score.f1_draws, confidence)
            gain = compare.contrast(scores, [((source, share), ("real", 0.0))], confidence=confidence).iloc[0]
            rows.append(row | {f"gain{end}": gain[f"f1{end}"] for end in ("", "_low", "_high")})
    return pd.DataFrame(rows)


def score_rule(test: pd.DataFrame, gold: np.ndarray, *, labels: Sequence[str]) -> float:
    """Return Macro-F1 of calling ironic just what has a tag; ``test`` has the column irony_tag."""
    ironic = list(labels).index(IRONIC)
    others = next(place for place in range(len(labels)) if place != ironic)
    said = np.where(test["irony_tag"].to_numpy(dtype=bool), ironic, others)
    return float(metrics.macro_f1(gold, said, n_labels=len(labels)))
