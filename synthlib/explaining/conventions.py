"""Conventions of a data set that synthetic text does not share, such as a mask for names: do they widen the gap?

A classifier that never saw a mark in training may fail on the test texts that bear it. So the gap is measured apart on
test texts with and without each mark.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from synthlib import compare
from synthlib.intervals import estimate, estimate_columns

#: Yes-or-no surface measures (:func:`synthlib.surface.measure_surface`), and what they say of a text.
MARKS = {
    "mention": "@user or another mention",
    "hashtag": "hashtag",
    "digit": "digit",
    "emoji": "emoji",
    "final_stop": "ends with . ! or ?",
}
MIN_TEXTS = 10  # test texts per label with a mark, and without it
MIN_DIFFERENCE = 0.25  # of the shares of texts with a mark, real and synthetic


def split_gaps(
    predictions: pd.DataFrame,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    labels: Sequence[str],
    *,
    pair: tuple[str, str],
    n_resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the gap on test texts with and without each mark that synthetic texts bear much more or less often.

    Parameters
    ----------
    predictions : DataFrame
        source, seed, key, label, predicted on the test texts of one task.
    real, synthetic : DataFrame
        Surface measures of the test texts (with key and label), and of the synthetic texts.
    pair : (str, str)
        The sources whose difference is the gap: first minus second.

    Returns
    -------
    gaps : DataFrame
        mark, share_real, share_synthetic (fractions of the texts that bear it), n_with, n_without (test texts),
        with_mark, without_mark, difference: gap in Macro-F1 (fractions), each with ``_low`` and ``_high``. No row for
        a mark whose shares differ by less than :data:`MIN_DIFFERENCE`, or where a label has fewer than
        :data:`MIN_TEXTS` test texts on one side.
    """
    rows = []
    for mark in MARKS:
        shares = {"share_real": real[mark].mean(), "share_synthetic": synthetic[mark].mean()}
        bears = real[mark].astype(bool)
        counts = pd.crosstab(real["label"], bears).reindex(index=list(labels), columns=[True, False], fill_value=0)
        if abs(np.diff(list(shares.values()))[0]) < MIN_DIFFERENCE or counts.to_numpy().min() < MIN_TEXTS:
            continue
        gaps = {}
        for name, keys in (("with_mark", real.loc[bears, "key"]), ("without_mark", real.loc[~bears, "key"])):
            part = predictions[predictions["key"].isin(keys) & predictions["source"].isin(pair)]
            scores = compare.score_predictions(part, labels, n_resamples=n_resamples, rng=rng)
            gaps[name] = compare.subtract(scores[pair[0]], scores[pair[1]])
        gaps["difference"] = compare.subtract(gaps["with_mark"], gaps["without_mark"])
        row = {"mark": mark, **shares, "n_with": int(bears.sum()), "n_without": int((~bears).sum())}
        for name, gap in gaps.items():
            row |= estimate(name, gap.f1, gap.f1_draws, confidence)
        rows.append(row)
    columns = ["mark", "share_real", "share_synthetic", "n_with", "n_without"]
    for name in ("with_mark", "without_mark", "difference"):
        columns += estimate_columns(name)
    return pd.DataFrame(rows, columns=columns)


def tabulate_gaps(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`split_gaps` of several tasks (column title: the task's) as a table to read, in points."""
    shown = pd.DataFrame({"task": gaps["title"], "mark": gaps["mark"].map(MARKS)})
    shown["real / synthetic texts with it (%)"] = [
        f"{100 * row.share_real:.0f} / {100 * row.share_synthetic:.0f}" for row in gaps.itertuples()
    ]
    for name, head in (("with_mark", "gap with it"), ("without_mark", "gap without"), ("difference", "difference")):
        shown[head] = [compare.say_points(row, name, signed=True) for row in gaps.itertuples()]
    return shown.set_index(["task", "mark"])
