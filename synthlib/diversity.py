"""How spread out texts are: Remote Clique and Chamfer on encoder vectors, with cosine distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from synthlib.features import FeatureTable

_BLOCK = 1024  # rows of a block of similarities: 4 MB of float32, whatever the number of texts

MEASURES = ("remote_clique", "chamfer", "chamfer_within_label")


def normalise(features: np.ndarray) -> np.ndarray:
    """Return the rows at length one, as float32.

    Parameters
    ----------
    features : ndarray, shape (n, D)
        Vectors of n texts.

    Raises
    ------
    ValueError
        It is no matrix, or a row is zero or not finite (zero has no direction, so no cosine).
    """
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 2:
        raise ValueError(f"features have shape {features.shape}; expected (texts, dimensions)")
    lengths = np.linalg.norm(features, axis=1)
    bad = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(bad):
        raise ValueError(f"{len(bad)} row(s) of features are zero or not finite, the first is row {bad[0]}")
    return features / lengths[:, None]


def measure_remote_clique(features: np.ndarray) -> float:
    """Return Remote Clique: the mean over texts of the mean cosine distance to the other texts.

    The mean of all pairs has a closed form for rows of length one, (n^2 - |sum of rows|^2) / (n (n - 1)), so it takes
    O(n D) time. Its expectation does not depend on n.

    Parameters
    ----------
    features : ndarray, shape (n, D)
        Vectors of n texts, of any length but zero.

    Returns
    -------
    remote_clique : float
        0 (all alike) to n / (n - 1).

    Raises
    ------
    ValueError
        There are fewer than two texts, or a vector is zero or not finite.

    References
    ----------
    Cevallos, Eisenbrand & Morell (2018), Diversity maximization in doubling metrics; Li et al. (2023), section 4.

    Examples
    --------
    >>> measure_remote_clique(np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]))  # distances 1, 2 and 1
    1.3333333333333333
    """
    return _remote_clique(_at_least_two(normalise(features)))


def measure_chamfer(features: np.ndarray) -> float:
    """Return the Chamfer distance: the mean over texts of the cosine distance to the nearest other text.

    Similarities are made in blocks, so memory is O(n D); time is O(n^2 D). A text that occurs twice has distance 0. The
    value falls with n: compare at equal n. For parameters and errors see :func:`measure_remote_clique`.

    Returns
    -------
    chamfer : float
        0 (every text has a twin) to 2, exact to about 1e-6.

    References
    ----------
    Li et al. (2023), section 4.

    Examples
    --------
    >>> measure_chamfer(np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]))
    1.0
    """
    return _chamfer(_at_least_two(normalise(features)))


def measure_diversity(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    n_per_label: int,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the diversity of a source at ``n_per_label`` texts per label, with intervals.

    The measures are means over random subsets: ``n_per_label`` texts of each label, drawn without replacement (drawing
    with replacement would put twins in, at distance 0). The spread of the subsets becomes the interval of that mean by
    the factor sqrt(m / (N - m)) of the delete-d jackknife, for m texts out of the N of the scarcest label. It says how
    far the value would move with other texts of the same source. For texts drawn one by one it is rather too wide, as
    jackknife variances are; for texts written in one conversation it may be too short.

    Parameters
    ----------
    features : ndarray, shape (n, D)
        Vectors of the source's texts.
    labels : ndarray, shape (n,)
        Their labels.

    Returns
    -------
    diversity : DataFrame
        A row per measure: measure (remote_clique, chamfer, chamfer_within_label: the mean over labels of the Chamfer
        distance of one label's texts), n (texts a subset), value, value_low, value_high.

    Raises
    ------
    ValueError
        A label has fewer than ``2 n_per_label`` texts, ``n_per_label`` is below 2, or a vector is zero or not finite.

    References
    ----------
    Shao & Wu (1989), A general theory for jackknife variance estimation; Efron & Stein (1981), The jackknife estimate
    of variance. Annals of Statistics 17 and 9.
    """
    unit, n_labels = normalise(features), len(set(labels))
    draws = np.empty((n_resamples, len(MEASURES)))
    for draw in range(n_resamples):
        union = unit[draw_balanced(labels, n_per_label, rng=rng, most=0.5)]
        subsets = np.split(union, n_labels)
        draws[draw] = _remote_clique(union), _chamfer(union), np.mean([_chamfer(subset) for subset in subsets])
    values = draws.mean(axis=0)
    scarcest = np.unique(np.asarray(labels), return_counts=True)[1].min()
    scale = np.sqrt(n_per_label / (scarcest - n_per_label))
    low, high = values + scale * (np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0) - values)
    n = [n_per_label * n_labels] * 2 + [n_per_label]
    return pd.DataFrame({"measure": MEASURES, "n": n, "value": values, "value_low": low, "value_high": high})


def draw_balanced(labels: np.ndarray, n_per_label: int, *, rng: np.random.Generator, most: float) -> np.ndarray:
    """Return rows of ``n_per_label`` texts of each label, drawn without replacement, label after label.

    Parameters
    ----------
    most : float
        Largest share of a label's texts that may be drawn: 1 for all, 0.5 where the rest must tell the spread.

    Raises
    ------
    ValueError
        ``n_per_label`` is below 2, or a label has too few texts.
    """
    labels = np.asarray(labels)
    names, counts = np.unique(labels, return_counts=True)
    if n_per_label < 2:
        raise ValueError(f"n_per_label is {n_per_label}; it must be at least 2")
    if counts.min() * most < n_per_label:
        raise ValueError(
            f"label {names[counts.argmin()]!r} has {counts.min()} texts, too few to draw {n_per_label} "
            f"(at most {most:.0%} of them)"
        )
    rows = [rng.choice(np.flatnonzero(labels == name), n_per_label, replace=False) for name in names]
    return np.concatenate(rows)


def measure_sources(
    tables: dict[str, FeatureTable],
    *,
    n_per_label: int,
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return :func:`measure_diversity` of several sources of one task, with column source."""
    options = {"n_per_label": n_per_label, "n_resamples": n_resamples, "confidence": confidence, "rng": rng}
    measured = [
        measure_diversity(table.features, table.rows["label"], **options).assign(source=name)
        for name, table in tables.items()
    ]
    return pd.concat(measured, ignore_index=True)


def count_order(diversity: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """Return on how many tasks the sources stand in ``order``, and on how many its ends clearly differ.

    Parameters
    ----------
    diversity : DataFrame
        task, source, measure, value, value_low, value_high.
    order : list of str
        Sources, the most diverse first.

    Returns
    -------
    counts : DataFrame, indexed by measure
        in_order (by the points), first_above and last_above (the interval of first minus last leaves out 0), n_tasks.
    """
    values = diversity.pivot(index=["measure", "task"], columns="source", values="value")[order]
    rows = diversity.set_index(["measure", "task"])
    difference = subtract(*(rows[rows["source"] == name] for name in (order[0], order[-1])))
    counted = pd.DataFrame(
        {
            "in_order": (values.diff(axis=1).iloc[:, 1:] < 0).all(axis=1),
            "first_above": difference["value_low"] > 0,
            "last_above": difference["value_high"] < 0,
        }
    ).groupby("measure")
    return counted.sum().assign(n_tasks=counted.size())


def list_falls(diversity: pd.DataFrame) -> pd.DataFrame:
    """Return real minus synthetic, one row per task, measure and setting: task, group, measure, setting, fall."""
    wide = diversity.pivot(index=["task", "group", "measure"], columns="source", values="value")
    falls = wide.drop(columns="real").rsub(wide["real"], axis=0)
    return falls.melt(ignore_index=False, var_name="setting", value_name="fall").reset_index()


def subtract(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return first minus second with intervals, for independent values with intervals.

    Parameters
    ----------
    first, second : DataFrame
        value, value_low, value_high, aligned by index.

    Returns
    -------
    differences : DataFrame
        value, value_low, value_high, with the index of ``first``.

    References
    ----------
    Zou & Donner (2008), Construction of confidence limits about effect measures, Statistics in Medicine 27.

    Examples
    --------
    >>> real = pd.DataFrame({"value": [5.0], "value_low": [2.0], "value_high": [9.0]})
    >>> zero = pd.DataFrame({"value": [1.0], "value_low": [-2.0], "value_high": [5.0]})
    >>> subtract(real, zero).values.tolist()
    [[4.0, -1.0, 9.0]]
    """
    value = first["value"] - second["value"]
    below = np.hypot(first["value"] - first["value_low"], second["value_high"] - second["value"])
    above = np.hypot(first["value_high"] - first["value"], second["value"] - second["value_low"])
    return pd.DataFrame({"value": value, "value_low": value - below, "value_high": value + above})


def _at_least_two(unit: np.ndarray) -> np.ndarray:
    if len(unit) < 2:
        raise ValueError(f"diversity needs at least two texts; there are {len(unit)}")
    return unit


def _remote_clique(unit: np.ndarray) -> float:
    n = len(unit)
    total = unit.sum(axis=0, dtype=np.float64)  # (D,)
    return float((n**2 - total @ total) / (n * (n - 1)))


def _chamfer(unit: np.ndarray) -> float:
    best = np.full(len(unit), -np.inf, dtype=np.float32)  # the highest similarity to another text so far
    for row in range(0, len(unit), _BLOCK):
        here = slice(row, row + _BLOCK)
        for column in range(row, len(unit), _BLOCK):  # similarities are symmetric: half of the blocks will do
            there = slice(column, column + _BLOCK)
            similarities = unit[here] @ unit[there].T  # (b, c)
            if row == column:
                np.fill_diagonal(similarities, -np.inf)
            else:
                np.maximum(best[there], similarities.max(axis=0), out=best[there])
            np.maximum(best[here], similarities.max(axis=1), out=best[here])
    return float(np.maximum(1 - best, 0).mean(dtype=np.float64))
