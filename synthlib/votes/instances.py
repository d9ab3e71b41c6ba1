"""Study II, text by text: classifiers against annotators, by agreement (gamma) and by the classifiers' own doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from synthlib.agreement import count_votes, measure_agreement, summarise_agreement
from synthlib.data import check_vote_keys
from synthlib.metrics import Resampling, correlate_ranks, draw_resampling
from synthlib.votes.gamma import MIN_KIND, divide, estimate, estimate_columns, measure_curves, measure_trends


@dataclass(frozen=True)
class TextSet:
    """Annotated texts on which classifiers of a task were tested.

    Attributes
    ----------
    task, title : str
        The task, and what figures call the set.
    votes_of : str
        ``panel`` (language-model personas), ``people`` or ``simulated``.
    test_set : str
        Name of the test set in the predictions.
    texts : DataFrame, N rows
        key, agreement (a_i), gold.
    counts : DataFrame or None
        Votes by text and label; None where only classes of agreement are known.
    """

    task: str
    title: str
    votes_of: str
    test_set: str
    texts: pd.DataFrame
    counts: pd.DataFrame | None

    @property
    def names(self) -> dict[str, str]:
        """The columns that tell the set in every table."""
        return {"task": self.task, "title": self.title, "votes_of": self.votes_of, "test_set": self.test_set}


def gather_texts(
    votes: pd.DataFrame, labels: list[str], gold: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return texts (key, n_votes, agreement, majority, gold) and their counts of votes.

    Parameters
    ----------
    votes : DataFrame
        key, annotator, label.
    labels : list of str
        The task's.
    gold : DataFrame or None
        key, label of every text voted on; None takes the majority of the votes and leaves texts with a tie out of
        ``texts``.

    Raises
    ------
    ValueError
        A vote is on an unknown key, or the votes are unsound (:func:`synthlib.agreement.count_votes`).
    """
    counts = count_votes(votes, labels)
    texts = measure_agreement(counts)
    if gold is None:
        return texts.assign(gold=texts["majority"]).dropna(subset="gold").reset_index(drop=True), counts
    check_vote_keys(votes, gold["key"], origin="votes")
    return texts.merge(gold.drop_duplicates("key").rename(columns={"label": "gold"})[["key", "gold"]], on="key"), counts


def tabulate_agreement(
    sets: list[TextSet], *, n_resamples: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return mean a_i and alpha of several sets: task, title, votes_of, test_set and summarise_agreement's columns.

    A set without votes has no alpha, and its note says why. See :func:`synthlib.agreement.summarise_agreement`.
    """
    rows = []
    for group in sets:
        if group.counts is not None:
            row = summarise_agreement(group.counts, n_resamples=n_resamples, confidence=confidence, rng=rng)
        else:
            share = group.texts["agreement"].to_numpy(dtype=float)
            draws = share[rng.integers(len(share), size=(n_resamples, len(share)))].mean(axis=1)
            row = {"texts": len(share), "votes": None, "unanimous": (share == 1).mean()}
            row |= estimate("agreement", share.mean(), draws, confidence)
            row |= {"note": "lower bounds: only classes of agreement are known, no single votes"}
        rows.append(group.names | row)
    return pd.DataFrame(rows).astype({"votes": "Int64"})


def check_labels(sets: list[TextSet]) -> pd.DataFrame:
    """Return how often the data set's label is the majority of the votes, on unanimous and on disputed texts.

    Returns
    -------
    label_check : DataFrame
        disputed, n_texts, same (share of them; a tie is not the same).
    """
    texts = pd.concat(group.texts for group in sets)
    texts = texts.assign(disputed=texts["agreement"] < 1, same=texts["majority"] == texts["gold"])
    return texts.groupby("disputed")["same"].agg(n_texts="size", same="mean").reset_index()


def say_labels(label_check: pd.DataFrame) -> str:
    """Return in a sentence how sure the label of disputed texts is; see :func:`check_labels`."""
    if label_check["disputed"].nunique() < 2:
        return "All texts are disputed." if label_check["disputed"].all() else "No text is disputed."
    counts, same = (label_check.set_index("disputed")[name] for name in ("n_texts", "same"))
    said = f"The panel disputes {counts[True]:,} of {counts.sum():,} texts. The data set's label is the panel's "
    return f"{said}majority label on {same[True]:.0%} of these and on {same[False]:.0%} of the others."


def study_sets(
    sets: list[TextSet], predictions: dict[str, pd.DataFrame], **settings: Any
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return what :func:`study_texts` measures on each set, one under the other.

    Parameters
    ----------
    sets : list of TextSet
        At least one.
    predictions : dict of str to DataFrame
        By task; test_set and the columns that :func:`study_texts` takes.
    settings
        Those of :func:`study_texts`.
    """
    tables = []
    for group in sets:
        rows = predictions[group.task]
        found = study_texts(rows[rows["test_set"] == group.test_set], group.texts, **settings)
        tables.append([table.assign(**group.names)[[*group.names, *table.columns]] for table in found])
    return tuple(pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))


def study_texts(
    predictions: pd.DataFrame,
    texts: pd.DataFrame,
    *,
    sources: list[str],
    min_texts: int,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return everything this module measures on one set of annotated texts.

    Parameters
    ----------
    predictions : DataFrame
        On these texts and perhaps others: source, seed, key, predicted, probabilities; the same seeds everywhere.
    texts : DataFrame, N rows
        key, agreement (a_i), gold.
    sources : list of str
        Training sources to study; others are left out.

    Returns
    -------
    curves, slopes, uncertainty : DataFrame
        See measure_curves and measure_trends in :mod:`synthlib.votes.gamma`; source and what :func:`find_disputed`
        gives.

    Raises
    ------
    ValueError
        A source lacks predictions (:func:`align_predictions`).
    """
    aligned = {source: align_predictions(predictions, texts, source=source) for source in sources}
    right = {source: hits for source, (hits, _) in aligned.items()}
    agreement, gold = texts["agreement"].to_numpy(dtype=float), texts["gold"].to_numpy(dtype=str)
    resampling = draw_resampling(len(texts), len(right[sources[0]]), n_resamples=n_resamples, rng=rng)
    settings = {"min_texts": min_texts, "resampling": resampling, "confidence": confidence}
    found = [
        {"source": source} | find_disputed(doubt, agreement < 1, resampling=resampling, confidence=confidence)
        for source, (_, doubt) in aligned.items()
    ]
    return (
        measure_curves(right, agreement, gold, **settings),
        measure_trends(right, agreement, gold, **settings),
        pd.DataFrame(found),
    )


def align_predictions(predictions: pd.DataFrame, texts: pd.DataFrame, *, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which texts a source's classifiers got right, and how unsure they were.

    Parameters
    ----------
    predictions : DataFrame
        source, seed, key, predicted, probabilities (one number a label); further texts and sources are left out.
    texts : DataFrame, N rows
        key, gold.
    source : str
        Training source.

    Returns
    -------
    right : ndarray of bool, shape (S, N)
        By seed (ascending) and text.
    uncertainty : ndarray of float, shape (N,)
        1 - the highest probability, mean over seeds.

    Raises
    ------
    ValueError
        The source has no predictions, or a seed lacks a text; the message names them.
    """
    rows = predictions[(predictions["source"] == source) & predictions["key"].isin(texts["key"])]
    if rows.empty:
        raise ValueError(f"no predictions of source {source!r}; there are {sorted(predictions['source'].unique())}")
    predicted = rows.pivot(index="seed", columns="key", values="predicted").reindex(columns=texts["key"])
    if predicted.isna().to_numpy().any():
        lacking = predicted.columns[predicted.isna().any()]
        raise ValueError(f"source {source!r}: no prediction of {len(lacking)} text(s), the first is {lacking[0]!r}")
    doubt = pd.Series(1 - np.stack(rows["probabilities"].to_list()).max(axis=1), index=rows["key"].to_numpy())
    uncertainty = doubt.groupby(level=0).mean().loc[texts["key"]].to_numpy()
    return predicted.to_numpy() == texts["gold"].to_numpy(), uncertainty


def find_disputed(
    uncertainty: np.ndarray, disputed: np.ndarray, *, resampling: Resampling, confidence: float
) -> dict[str, float | int | str]:
    """Return how well uncertainty finds the texts on which annotators disagree.

    Parameters
    ----------
    uncertainty : ndarray, shape (N,)
        Higher is less sure.
    disputed : ndarray of bool, shape (N,)
        Texts with a_i < 1.
    resampling : Resampling
        Of N texts.

    Returns
    -------
    row : dict
        n_texts, n_disputed, auc with ``_low`` and ``_high`` (how often the disputed text of a pair is the less sure
        one, ties half; 0.5 is chance; NaN where fewer than five texts are disputed, or not) and note, which says so.
    """
    enough = min(disputed.sum(), (~disputed).sum()) >= MIN_KIND
    auc = weighted_auc(uncertainty, disputed, np.ones((1, len(disputed))))[0] if enough else np.nan
    row = {"n_texts": len(disputed), "n_disputed": int(disputed.sum())}
    row |= estimate("auc", auc, weighted_auc(uncertainty, disputed, resampling.rows), confidence)
    return row | {"note": "" if enough else f"AUC undefined: fewer than {MIN_KIND} disputed or unanimous texts"}


def weighted_auc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the AUC of scores (N,) for positives (N,) under each row of weights (R, N), shape (R,); NaN if undefined.

    Examples
    --------
    >>> weighted_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), np.ones((1, 4))).tolist()
    [0.75]
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])  # of runs of equal scores
    weights, positive = weights[:, order].astype(float), positive[order]
    above = np.add.reduceat(weights * positive, starts, axis=1)  # (R, runs)
    below = np.add.reduceat(weights * ~positive, starts, axis=1)
    won = above * (below.cumsum(axis=1) - below / 2)
    return divide(won.sum(axis=1), above.sum(axis=1) * below.sum(axis=1))


def compare_classes(
    both: pd.DataFrame, *, n_resamples: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the panel's mean a_i by class of people's agreement: people, n_texts, agreement with interval.

    Parameters
    ----------
    both : DataFrame
        people (class of people's agreement) and agreement (a_i of the panel), one row per text; may be empty.
    """
    rows = []
    for people, group in both.groupby("people"):
        values = group["agreement"].to_numpy(dtype=float)
        draws = values[rng.integers(len(values), size=(n_resamples, len(values)))].mean(axis=1)
        rows.append(
            {"people": people, "n_texts": len(values)} | estimate("agreement", values.mean(), draws, confidence)
        )
    return pd.DataFrame(rows, columns=["people", "n_texts", *estimate_columns("agreement")])


def correlate_agreement(
    both: pd.DataFrame, *, n_resamples: int, confidence: float, rng: np.random.Generator
) -> dict[str, float | str]:
    """Return Spearman's rho of the panel's a_i and people's agreement, with a percentile interval over texts.

    NaN, with a ``note``, where one of the two does not vary. For parameters see :func:`compare_classes`.
    """
    people, panel = (both[name].to_numpy(dtype=float) for name in ("people", "agreement"))
    drawn = rng.integers(len(both), size=(n_resamples, len(both)))
    row = estimate("rho", correlate_ranks(people, panel), correlate_ranks(people[drawn], panel[drawn]), confidence)
    return row | {"note": "Undefined: one of the two does not vary." if np.isnan(row["rho"]) else ""}
