"""Votes beyond one number a set: soft labels, agreement by label and annotator, Dawid and Skene's true labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthlib.agreement import alpha, alpha_without_votes, count_votes, summarise_agreement

_TOLERANCE, _MAX_STEPS = 1e-5, 1000  # of the mean change of a probability
_PSEUDO = 0.01  # votes added to every cell of a confusion matrix, so that no label becomes impossible


def soften(counts: pd.DataFrame) -> pd.DataFrame:
    """Return soft labels: the share of each text's votes that each label has; rows sum to 1.

    Examples
    --------
    >>> soften(pd.DataFrame({"no": [4, 1], "yes": [1, 1]}, index=["t1", "t2"])).to_dict("index")
    {'t1': {'no': 0.8, 'yes': 0.2}, 't2': {'no': 0.5, 'yes': 0.5}}
    """
    return counts.div(counts.sum(axis=1), axis=0)


def agree_by_label(
    counts: pd.DataFrame, *, n_resamples: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return alpha of each label against all others: label, share (of all votes), alpha with interval, note.

    With two labels both rows say the same. For parameters see :func:`synthlib.agreement.summarise_agreement`.
    """
    total, rows = counts.sum(axis=1), []
    for label in counts.columns:
        binary = pd.DataFrame({"this": counts[label], "other": total - counts[label]})
        row = summarise_agreement(binary, n_resamples=n_resamples, confidence=confidence, rng=rng)
        share = float(counts[label].sum() / total.sum())
        rows.append(
            {"label": label, "share": share} | {n: row[n] for n in ("alpha", "alpha_low", "alpha_high", "note")}
        )
    return pd.DataFrame(rows)


def agree_by_annotator(votes: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Return how each annotator agrees with the others.

    Parameters
    ----------
    votes : DataFrame
        key, annotator, label.

    Returns
    -------
    annotators : DataFrame
        annotator, n_votes (on texts with another vote), agreement (share of the other votes on the same texts that are
        the same label, each text alike), without (alpha when the annotator is left out; NaN where then no text has two
        votes) and gain (that minus alpha of all: above 0 where the annotator lowers it). Lowest agreement first.
    """
    everyone = alpha(count_votes(votes, labels).to_numpy())
    counts = pd.crosstab(votes["key"], votes["label"]).reindex(columns=labels, fill_value=0)
    table = counts.to_numpy()
    text, label = counts.index.get_indexer(votes["key"]), counts.columns.get_indexer(votes["label"])
    who, names = pd.factorize(votes["annotator"], sort=True)
    others, same = table.sum(axis=1)[text] - 1, table[text, label] - 1
    share = np.divide(same, others, out=np.full(len(votes), np.nan), where=others > 0)
    shared = pd.DataFrame({"who": who, "share": share}).dropna().groupby("who")["share"].agg(["size", "mean"])
    without = alpha_without_votes(table, text, label, who)[shared.index]
    found = {
        "annotator": names[shared.index],
        "n_votes": shared["size"].to_numpy(),
        "agreement": shared["mean"].to_numpy(),
    }
    found = pd.DataFrame(found | {"without": without, "gain": without - everyone})
    return found.sort_values("agreement", ignore_index=True)


@dataclass(frozen=True)
class TrueLabels:
    """What Dawid and Skene's model makes of votes.

    Attributes
    ----------
    probabilities : DataFrame, shape (N, K)
        Of each label being the true one, by key.
    confusions : ndarray, shape (A, K, K)
        By annotator (sorted by name): how often a text of the first label is given the second.
    annotators : list of str
        Their names.
    n_steps : int
        Steps until the fit stood still.
    """

    probabilities: pd.DataFrame
    confusions: np.ndarray
    annotators: list[str]
    n_steps: int


def infer_labels(votes: pd.DataFrame, labels: list[str]) -> TrueLabels:
    """Return true labels and annotators' confusions by Dawid and Skene's model, fitted by expectation-maximisation.

    The model holds that each text has one true label and that an annotator errs in a way of their own, alike on all
    texts of a label. Where texts are subjective its first half is false: it is a check of the majority, no truth.

    Parameters
    ----------
    votes : DataFrame
        key, annotator, label; one vote is enough for a text.

    Raises
    ------
    ValueError
        There are no votes, or a label is unknown.
    RuntimeError
        The fit has not settled after 1,000 steps.

    References
    ----------
    Dawid & Skene (1979), Maximum likelihood estimation of observer error-rates using the EM algorithm.

    Examples
    --------
    >>> rows = [(key, who, label) for key, label in [("t1", "no"), ("t2", "yes")] for who in "abc"]
    >>> votes = pd.DataFrame(rows, columns=["key", "annotator", "label"])
    >>> infer_labels(votes, ["no", "yes"]).probabilities.round(2).to_dict("list")
    {'no': [1.0, 0.0], 'yes': [0.0, 1.0]}
    """
    if votes.empty:
        raise ValueError("there are no votes")
    unknown = sorted(set(votes["label"]) - set(labels))
    if unknown:
        raise ValueError(f"unknown label(s) {unknown}; allowed are {labels}")
    text, keys = pd.factorize(votes["key"])
    who, annotators = pd.factorize(votes["annotator"], sort=True)
    given = votes["label"].map({label: number for number, label in enumerate(labels)}).to_numpy()
    truth = np.zeros((len(keys), len(labels)))  # (N, K)
    np.add.at(truth, (text, given), 1)
    truth /= truth.sum(axis=1, keepdims=True)
    for step in range(1, _MAX_STEPS + 1):
        before = truth
        confusions = np.full((len(annotators), len(labels), len(labels)), _PSEUDO)
        np.add.at(confusions.transpose(0, 2, 1), (who, given), truth[text])  # (A, given, true) <- (V, true)
        confusions /= confusions.sum(axis=2, keepdims=True)
        logs = np.repeat(np.log(truth.mean(axis=0) + 1e-12)[None], len(keys), axis=0)
        np.add.at(logs, text, np.log(confusions.transpose(0, 2, 1)[who, given]))
        truth = np.exp(logs - logs.max(axis=1, keepdims=True))
        truth /= truth.sum(axis=1, keepdims=True)
        if np.abs(truth - before).mean() < _TOLERANCE:
            table = pd.DataFrame(truth, index=pd.Index(keys, name="key"), columns=labels)
            return TrueLabels(table, confusions, list(annotators), step)
    raise RuntimeError(f"Dawid and Skene's fit has not settled after {_MAX_STEPS} steps")


def check_majority(votes: pd.DataFrame, texts: pd.DataFrame, labels: list[str]) -> dict[str, float | int]:
    """Return how far the inferred true labels are those of the majority.

    Parameters
    ----------
    texts : DataFrame
        key and majority (None in a tie) of :func:`synthlib.agreement.measure_agreement`.

    Returns
    -------
    row : dict
        n_texts (with a majority), same (share of them whose likeliest true label is the majority), n_ties, and
        diagonal (mean over annotators and labels of the chance of giving the true label), n_annotators.
    """
    inferred = infer_labels(votes, labels)
    likeliest = inferred.probabilities.idxmax(axis=1)
    known = texts.dropna(subset="majority")
    same = (known["majority"].to_numpy() == likeliest.loc[known["key"]].to_numpy()).mean() if len(known) else np.nan
    diagonal = float(np.diagonal(inferred.confusions, axis1=1, axis2=2).mean())
    row = {"n_texts": len(known), "same": float(same), "n_ties": len(texts) - len(known)}
    return row | {"diagonal": diagonal, "n_annotators": len(inferred.annotators)}
