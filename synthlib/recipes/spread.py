"""Sets of texts that have no label in common, compared at an equal number of texts: diversity, openings, words.

A set is what one prompt can write: a recipe, or one label of a task in one setting. Tasks are means over their labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from synthlib import diversity, surface
from synthlib.corpus.audit import audit_variety
from synthlib.features import FeatureTable
from synthlib.intervals import share_interval

SET = ["source", "setting", "label"]
MEASURES = ("remote_clique", "chamfer")


def measure_sets(
    table: FeatureTable, *, n_texts: int, n_resamples: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return Remote Clique and Chamfer of each set at ``n_texts`` texts, as :func:`diversity.measure_diversity` does.

    Parameters
    ----------
    table : FeatureTable
        Rows with source (a recipe or task), setting and label: equal in all three, of the same set.

    Returns
    -------
    measured : DataFrame
        source, setting, label, measure, n, value, value_low, value_high.

    Raises
    ------
    ValueError
        A set has fewer than ``2 n_texts`` texts, or a vector is zero or not finite.
    """
    options = {"n_per_label": n_texts, "n_resamples": n_resamples, "confidence": confidence, "rng": rng}
    frames = []
    for name, rows in _list_sets(table.rows):
        found = diversity.measure_diversity(table.features[rows], np.zeros(len(rows), dtype=int), **options)
        found = found[found["measure"].isin(MEASURES)]
        frames.append(found.assign(**dict(zip(SET, name, strict=True))))
    return pd.concat(frames, ignore_index=True)[[*SET, "measure", "n", "value", "value_low", "value_high"]]


def average_labels(measured: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each measure over the labels of a source and setting.

    Labels are taken as independent: half widths of the K intervals add up as sqrt(sum of squares) / K.

    Parameters
    ----------
    measured : DataFrame
        source, setting, label, measure, value, value_low, value_high; an interval may be missing.

    Returns
    -------
    averaged : DataFrame
        source, setting, measure, labels (K), value, value_low, value_high.

    Examples
    --------
    >>> rows = [("t", "s", label, "chamfer", v, v - 3, v + 4) for label, v in (("a", 1.0), ("b", 2.0))]
    >>> columns = [*SET, "measure", "value", "value_low", "value_high"]
    >>> average_labels(pd.DataFrame(rows, columns=columns)).round(3).values.tolist()
    [['t', 's', 'chamfer', 2, 1.5, -0.621, 4.328]]
    """
    rows = []
    for name, part in measured.groupby(["source", "setting", "measure"], sort=False):
        value, n_labels = part["value"].mean(), len(part)
        below = np.sqrt(((part["value"] - part["value_low"]) ** 2).sum(skipna=False)) / n_labels
        above = np.sqrt(((part["value_high"] - part["value"]) ** 2).sum(skipna=False)) / n_labels
        rows.append((*name, n_labels, value, value - below, value + above))
    names = ["source", "setting", "measure", "labels", "value", "value_low", "value_high"]
    return pd.DataFrame(rows, columns=names)


def list_gains(averaged: pd.DataFrame, plain: str) -> pd.DataFrame:
    """Return each setting minus the ``plain`` one on the same task, with intervals.

    Returns
    -------
    gains : DataFrame
        source (a task), setting, measure, value, value_low, value_high. Sources without the plain setting are left out.
    """
    rows = averaged.set_index(["source", "measure"])
    base = rows[rows["setting"] == plain]
    frames = []
    for setting in averaged["setting"].unique():
        others = rows[(rows["setting"] == setting) & rows.index.isin(base.index)]
        if setting != plain and len(others):
            frames.append(diversity.subtract(others, base.loc[others.index]).assign(setting=setting).reset_index())
    names = ["source", "setting", "measure", "value", "value_low", "value_high"]
    return pd.concat(frames, ignore_index=True)[names] if frames else pd.DataFrame(columns=names)


def compare_sources(averaged: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Return the first source minus the second, indexed by measure: value, value_low, value_high.

    Raises
    ------
    ValueError
        A source is not there, or has several settings.
    """
    sides = []
    for source in (first, second):
        rows = averaged[averaged["source"] == source].set_index("measure")
        if rows.empty or not rows.index.is_unique:
            raise ValueError(f"source {source!r} has {rows['setting'].nunique()} settings; it must have one")
        sides.append(rows)
    return diversity.subtract(*sides)


def find_opening(text: str, n_words: int) -> str:
    """Return the first ``n_words`` words of a text in lower case, without marks.

    Examples
    --------
    >>> find_opening("It was hot. Tom ran.", 4)
    'it was hot tom'
    """
    return " ".join(surface.words(text)[:n_words])


def measure_openings(
    rows: pd.DataFrame, *, sizes: Sequence[int], n_texts: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return how concentrated the openings of each set are, among as many texts drawn from each.

    Parameters
    ----------
    rows : DataFrame
        source, setting, label, text.
    sizes : sequence of int
        Numbers of first words that make an opening.
    n_texts : int
        Texts drawn from each set: the share of the commonest opening falls a little with their number.

    Returns
    -------
    openings : DataFrame
        source, setting, label, measure (``first_<size>``), opening (the commonest), value, value_low, value_high (share
        of texts that begin with it, Wilson's interval), shared (share of texts that begin as another one does).

    Raises
    ------
    ValueError
        A set has fewer texts.
    """
    found = []
    for name, places in _list_sets(rows):
        if len(places) < n_texts:
            raise ValueError(f"set {'/'.join(name)} has {len(places)} texts; {n_texts} are asked for")
        texts = rows["text"].iloc[rng.permutation(places)[:n_texts]]
        for size in sizes:
            openings = texts.map(lambda text, size=size: find_opening(text, size))
            counts = openings.value_counts()
            interval = share_interval(int(counts.iloc[0]), n_texts, confidence=confidence)
            shared = float(counts[counts > 1].sum() / n_texts)
            found.append((*name, f"first_{size}", counts.index[0], *interval, shared))
    names = [*SET, "measure", "opening", "value", "value_low", "value_high", "shared"]
    return pd.DataFrame(found, columns=names)


def measure_variety(rows: pd.DataFrame, *, n_draws: int, confidence: float, rng: np.random.Generator) -> pd.DataFrame:
    """Return distinct_1 and distinct_2 of each set over an equal number of words (:func:`audit.audit_variety`).

    Returns
    -------
    variety : DataFrame
        source, setting, label, measure, value. No interval: the orders of the texts say little of other texts.
    """
    named = rows.assign(setting=pd.MultiIndex.from_frame(rows[SET].astype(str)).map("\t".join))
    audited = audit_variety(named, n_draws=n_draws, confidence=confidence, rng=rng)
    audited[SET] = [name.split("\t") for name in audited["setting"]]
    return audited[[*SET, "measure", "value"]]


def _list_sets(rows: pd.DataFrame) -> Iterator[tuple[tuple[str, str, str], np.ndarray]]:
    yield from rows.reset_index(drop=True).groupby(SET, sort=False).indices.items()
