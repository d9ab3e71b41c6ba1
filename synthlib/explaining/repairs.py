"""Repairing synthetic training text: drop its odd texts, reweight it, or relabel it with a little real text.

Every repair becomes rows to learn from (:class:`synthlib.train.Run`), so all are trained alike, for the same number of
steps. Nothing is chosen on test data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from synthlib.features import FeatureTable
from synthlib.train import Run

REPAIRS = {
    "as_is": "as it is",
    "dropped": "odd texts dropped",
    "reweighted": "reweighted with the pool",
    "relabelled": "relabelled with the pool",
    "with_pool": "pool added",
}
WEIGHT_STEPS = 10  # a text of mean weight is repeated so often


@dataclass(frozen=True)
class Texts:
    """The rows of a task: real training rows, then synthetic ones, as :mod:`synthlib.sources` counts them.

    Attributes
    ----------
    labels : sequence of str
        The task's labels; their place is the label index.
    train, test, corpus : FeatureTable
        Real training rows (with column pool), real test rows, synthetic rows (with column setting).
    """

    labels: Sequence[str]
    train: FeatureTable
    test: FeatureTable
    corpus: FeatureTable

    @cached_property
    def features(self) -> np.ndarray:
        """Vectors of all training rows, shape (N, D)."""
        return np.concatenate([self.train.features, self.corpus.features])

    @cached_property
    def y(self) -> np.ndarray:
        """Label indices of all training rows, shape (N,)."""
        return self._number(pd.concat([self.train.rows["label"], self.corpus.rows["label"]]))

    @cached_property
    def gold(self) -> np.ndarray:
        """Label indices of the test rows, shape (T,)."""
        return self._number(self.test.rows["label"])

    def find(self, source: str) -> np.ndarray:
        """Return the rows of ``real``, ``pool`` or a setting.

        Raises
        ------
        ValueError
            There are none.
        """
        if source == "real":
            return np.arange(len(self.train.rows))
        if source == "pool":
            rows = np.flatnonzero(self.train.rows["pool"])
        else:
            rows = len(self.train.rows) + np.flatnonzero(self.corpus.rows["setting"] == source)
        if not len(rows):
            raise ValueError(f"no rows of {source!r}; settings are {sorted(set(self.corpus.rows['setting']))}")
        return rows

    def _number(self, labels: pd.Series) -> np.ndarray:
        return labels.map({label: i for i, label in enumerate(self.labels)}).to_numpy()


def draw_seeds(seed: int, n_seeds: int) -> list[int]:
    """Return the seeds of ``n_seeds`` classifiers, the same as 03_train's of this seed."""
    return [int(sequence.generate_state(1)[0]) for sequence in np.random.SeedSequence(seed).spawn(n_seeds)]


def drop_odd(rows: np.ndarray, y: np.ndarray, confidence: np.ndarray, *, share: float) -> np.ndarray:
    """Return the rows without the ``share`` of each label of which training is least confident.

    Examples
    --------
    >>> y, confidence = np.array([0, 0, 1, 1]), np.array([0.9, 0.2, 0.4, 0.8])
    >>> drop_odd(np.arange(4), y, confidence, share=0.5).tolist()
    [0, 3]
    """
    kept = []
    for label in np.unique(y):
        own = np.flatnonzero(y == label)
        order = own[np.argsort(confidence[own], kind="stable")]
        kept.append(order[min(round(share * len(own)), len(own) - 1) :])  # no label loses all its texts
    return rows[np.sort(np.concatenate(kept))]


def reweight(rows: np.ndarray, y: np.ndarray, quality: np.ndarray, familiarity: np.ndarray) -> np.ndarray:
    """Return the rows, each repeated in proportion to its weight: quality over familiarity.

    A text counts more where a model trained on a few real texts finds its label right (quality), and less where the
    model trained on the synthetic texts is sure of it anyway (familiarity). Labels keep their shares. A text of mean
    weight is repeated ten times; shares of a repeat are carried over to the next text, so none is drawn by chance.

    Parameters
    ----------
    rows, y : ndarray of int, shape (n,)
        Rows and their label indices.
    quality, familiarity : ndarray, shape (n,)
        Probability of each row's label by the two models.

    References
    ----------
    Kuo et al. (2024), Not all LLM-generated data are equal: rethinking data weighting in text classification, IMP-Loss.

    Examples
    --------
    >>> repeated = reweight(np.array([7, 8]), np.array([0, 0]), np.array([0.9, 0.3]), np.array([1.0, 1.0]))
    >>> np.unique(repeated, return_counts=True)[1].tolist()
    [15, 5]
    """
    weights = quality / np.maximum(familiarity, 1e-6)
    repeats = np.zeros(len(rows), dtype=int)
    for label in np.unique(y):
        own = np.flatnonzero(y == label)
        wanted = WEIGHT_STEPS * len(own) * np.cumsum(weights[own]) / weights[own].sum()
        repeats[own] = np.diff(np.floor(wanted + 0.5).astype(int), prepend=0)
    return np.repeat(rows, repeats)


def relabel(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the labels a model gives; texts of a label that it gives to none keep theirs.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Labels asked for.
    probabilities : ndarray, shape (n, K)
        By a model trained on a few real texts.

    References
    ----------
    Chung, Kamar & Amershi (2023), Increasing diversity while maintaining accuracy, label replacement.

    Examples
    --------
    >>> relabel(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])).tolist()
    [0, 1, 0]
    >>> relabel(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])).tolist()
    [0, 0, 1]
    """
    given = probabilities.argmax(-1)
    lost = np.setdiff1d(np.unique(y), given)
    return np.where(np.isin(y, lost), y, given)


def plan_repairs(
    texts: Texts,
    settings: Sequence[str],
    seeds: Sequence[int],
    *,
    by_pool: np.ndarray,
    by_setting: Mapping[str, np.ndarray],
    confidence: Mapping[str, np.ndarray],
    share: float,
) -> tuple[pd.DataFrame, list[Run], np.ndarray, np.ndarray]:
    """Return the classifiers that learn from repaired texts; ``as_is`` and the pool alone are trained before.

    Parameters
    ----------
    by_pool : ndarray, shape (S, C, K)
        Probabilities of all C synthetic rows by the S classifiers trained on the pool.
    by_setting : mapping of str to ndarray, shape (S, C, K)
        The same by those trained on each setting.
    confidence : mapping of str to ndarray, shape (n,)
        Of the rows of each setting (:func:`synthlib.explaining.cartography.draw_map`).
    share : float
        Share of each label's texts to drop.

    Returns
    -------
    plan : DataFrame, one row per classifier
        setting, repair, seed (0 to S - 1), n_train (distinct texts), changed (share of the texts dropped or relabelled;
        for reweighted: one minus the effective share (sum w)^2 / (n sum w^2)).
    runs : list of Run
        In the same order.
    rows : ndarray of int, shape (N + E,)
        What each training row is: 0 to N - 1, then a copy of a row for every relabelled text.
    y : ndarray of int, shape (N + E,)
        Its label.
    """
    plan, runs, copies, new_y = [], [], [], []
    n_rows, pool = len(texts.y), texts.find("pool")
    for setting in settings:
        rows = texts.find(setting)
        y, synthetic = texts.y[rows], rows - len(texts.train.rows)
        for number, seed in enumerate(seeds):
            quality = by_pool[number, synthetic, y]
            given = relabel(y, by_pool[number, synthetic])
            start = n_rows + sum(map(len, copies))
            copies.append(rows)
            new_y.append(given)
            repeated = reweight(rows, y, quality, by_setting[setting][number, synthetic, y])
            counts = np.unique(repeated, return_counts=True)[1]
            made = {
                "dropped": (drop_odd(rows, y, confidence[setting], share=share), None),
                "reweighted": (repeated, 1 - counts.sum() ** 2 / (len(rows) * (counts**2).sum())),
                "relabelled": (start + np.arange(len(rows)), (given != y).mean()),
                "with_pool": (np.concatenate([pool, rows]), 0.0),
            }
            for repair, (learned, changed) in made.items():
                changed = 1 - len(learned) / len(rows) if changed is None else changed
                plan.append((setting, repair, number, len(np.unique(learned)), changed))
                runs.append(Run(learned, seed))
    frame = pd.DataFrame(plan, columns=["setting", "repair", "seed", "n_train", "changed"])
    rows = np.concatenate([np.arange(n_rows), *copies])
    return frame, runs, rows, np.concatenate([texts.y, *new_y])
