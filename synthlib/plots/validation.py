"""Figures of the validation of intervals (11_validation)."""

from __future__ import annotations

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from synthlib.plots.style import COLUMN_WIDTH, METHOD_LOOKS, PAGE_WIDTH

_STYLES = {"percentile": METHOD_LOOKS[1], "used here": METHOD_LOOKS[0]}
_UNITS = {"Bradley-Terry score": "workers", "Krippendorff's alpha": "texts", "difference in Macro-F1": "seeds"}


def coverage(rows: pd.DataFrame, *, confidence: float) -> Figure:
    """Return the share of simulations in which each interval holds the truth, a line a quantity and size.

    Parameters
    ----------
    rows : DataFrame
        quantity, size, interval, coverage, coverage_low, coverage_high (fractions).
    confidence : float
        What the intervals promise.
    """
    cases = list(rows[["quantity", "size"]].drop_duplicates().itertuples(index=False))
    figure, ax = plt.subplots(figsize=(PAGE_WIDTH * 0.7, 0.36 * len(cases) + 1))
    ax.axvline(100 * confidence, color="0.4", linestyle="--", linewidth=0.9, label="promised")
    for number, (interval, (colour, marker)) in enumerate(_STYLES.items()):
        shown = rows[rows["interval"] == interval].set_index(["quantity", "size"]).reindex(cases)
        y = [place + 0.24 * (number - 0.5) for place in range(len(cases))]
        value, low, high = (100 * shown[f"coverage{end}"] for end in ("", "_low", "_high"))
        reach = [value - low, high - value]
        ax.errorbar(value, y, xerr=reach, fmt=marker, color=colour, capsize=2, label=interval)
    ax.set_yticks(range(len(cases)), [f"{case.quantity}, {case.size} {_UNITS[case.quantity]}" for case in cases])
    ax.set(ylim=(len(cases) - 0.5, -0.5), xlabel="intervals that hold the truth (%)")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def recovery(rows: pd.DataFrame) -> Figure:
    """Return found against true scores, a line per crowd, with the middle 95% of simulations.

    Parameters
    ----------
    rows : DataFrame
        crowd, truth, score, score_low, score_high.
    """
    figure, ax = plt.subplots(figsize=(COLUMN_WIDTH, 3.0))
    ends = [rows["truth"].min(), rows["truth"].max()]
    ax.plot(ends, ends, color="0.6", linestyle="--", linewidth=0.9, label="found = true")
    crowds = zip(rows.groupby("crowd", sort=False), METHOD_LOOKS, strict=True)
    for number, ((crowd, shown), (colour, marker)) in enumerate(crowds):
        reach = [shown["score"] - shown["score_low"], shown["score_high"] - shown["score"]]
        place = shown["truth"] + 0.06 * (number - 1)
        ax.errorbar(place, shown["score"], yerr=reach, fmt=marker, color=colour, linewidth=0.8, label=crowd)
    ax.set(xlabel="true score (log-odds)", ylabel="score found (log-odds)")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
