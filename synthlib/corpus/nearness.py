"""Too near to be new: texts that repeat each other, the real texts shown to the model, or the test set.

All by the cosine of encoder vectors, so a repeat in other words counts as well. Frames go to :func:`audit.summarise`.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from synthlib.diversity import normalise
from synthlib.features import FeatureTable
from synthlib.settings import SHOWING_SETTINGS


def find_duplicates(corpus: FeatureTable, *, threshold: float) -> pd.DataFrame:
    """Return for each text whether its setting holds it again.

    Returns
    -------
    duplicates : DataFrame
        key, setting, label, exact_duplicate (repeats an earlier text, case and white space aside), near_duplicate
        (another text is at a cosine of ``threshold`` or more), near_duplicate_other_label (one with another label is),
        nearest_cosine (to the nearest other text; missing where there is none), nearest (its key).
    """
    parts = []
    for setting in corpus.rows["setting"].unique():
        part = corpus.where(corpus.rows["setting"] == setting)
        plain = part.rows["text"].str.lower().str.split().str.join(" ")
        unit = normalise(part.features)
        cosines = unit @ unit.T  # (N, N)
        np.fill_diagonal(cosines, -np.inf)
        labels = part.rows["label"].to_numpy()
        near = cosines >= threshold
        nearest = cosines.max(1)
        found = part.rows[["key", "setting", "label"]].assign(exact_duplicate=plain.duplicated())
        found["near_duplicate"] = near.any(1)
        found["near_duplicate_other_label"] = (near & (labels[:, None] != labels)).any(1)
        found["nearest_cosine"] = np.where(np.isfinite(nearest), nearest, math.nan)
        parts.append(found.assign(nearest=part.rows["key"].to_numpy()[cosines.argmax(1)]))
    return pd.concat(parts, ignore_index=True)


def compare_examples(
    corpus: FeatureTable, real: FeatureTable, *, threshold: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return how near each few-shot or grounded text is to the real texts shown before it, and to as many not shown.

    Parameters
    ----------
    real : FeatureTable
        Real rows, the few-shot pool (column ``pool``) among them.

    Returns
    -------
    nearness : DataFrame
        key, setting, label, examples (the texts shown, joined: rows that share them are not independent), nearest (the
        nearest one shown), example_cosine (to it), other_cosine (to the nearest of equally many pool texts of the
        label, or of all there are, drawn from those not shown; NaN where there are none), example_excess (their
        difference), example_copy (example_cosine is at ``threshold`` or more).

    Raises
    ------
    ValueError
        A shown text is not among the real rows.
    """
    unit = normalise(real.features)
    place = {key: i for i, key in enumerate(real.rows["key"])}
    pools = real.rows[real.rows["pool"]].groupby("label")["key"].agg(list)
    few = corpus.where(corpus.rows["setting"].isin(SHOWING_SETTINGS))
    rows = []
    for row, vector in zip(few.rows.itertuples(), normalise(few.features), strict=True):
        shown = list(row.examples)
        if unknown := [key for key in shown if key not in place]:
            raise ValueError(f"{row.key}: shown text {unknown[0]!r} is not among the {len(place)} real rows")
        rest = [key for key in pools[row.label] if key not in shown]
        others = rng.choice(rest, size=min(len(shown), len(rest)), replace=False) if rest else []
        cosines = unit[[place[key] for key in shown]] @ vector  # (E,)
        other = float((unit[[place[key] for key in others]] @ vector).max()) if rest else np.nan
        rows.append((" ".join(sorted(shown)), shown[int(cosines.argmax())], float(cosines.max()), other))
    found = pd.DataFrame(rows, columns=["examples", "nearest", "example_cosine", "other_cosine"])
    found["example_excess"] = found["example_cosine"] - found["other_cosine"]
    found["example_copy"] = found["example_cosine"] >= threshold
    return pd.concat([few.rows[["key", "setting", "label"]], found], axis=1)


def find_overlap(corpus: FeatureTable, test: FeatureTable, *, threshold: float) -> pd.DataFrame:
    """Return the nearest real test row of each text.

    Returns
    -------
    overlap : DataFrame
        key, setting, label, nearest (key of the test row), test_cosine, test_copy (it is at ``threshold`` or more:
        leakage).
    """
    cosines = normalise(corpus.features) @ normalise(test.features).T  # (N, M)
    overlap = corpus.rows[["key", "setting", "label"]].assign(nearest=test.rows["key"].to_numpy()[cosines.argmax(1)])
    return overlap.assign(test_cosine=cosines.max(1), test_copy=cosines.max(1) >= threshold)
