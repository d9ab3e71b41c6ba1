"""Figures of the validation of intervals (11_validation)."""

from __future__ import annotations

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from synthlib.plots.style import COLUMN_WIDTH, METHOD_LOOKS, PAGE_WIDTH

_STYLES = {"Student's t": METHOD_LOOKS[0], "percentile": METHOD_LOOKS[1], "BCa": METHOD_LOOKS[2]}


def coverage(rows: pd.DataFrame, *, confidence: float) -> Figure:
    """Return the share of simulations in which each interval holds the truth, a line a quantity and case.

    Marks tell kinds of intervals apart; open ones are of intervals that the notebooks do not use for this quantity.

    Parameters
    ----------
    rows : DataFrame
        quantity, case, interval, used, coverage, coverage_low, coverage_high (fractions).
    confidence : float
        What the intervals promise.
    """
    cases = rows.groupby(["quantity", "case"], sort=False)
    figure, ax = plt.subplots(figsize=(PAGE_WIDTH * 0.8, 0.3 * len(cases) + 1.1))
    ax.axvline(100 * confidence, color="0.4", linestyle="--", linewidth=0.9, label="promised")
    for place, (_, shown) in enumerate(cases):
        for number, row in enumerate(shown.itertuples()):
            colour, marker = _STYLES[row.interval]
            value, low, high = 100 * row.coverage, 100 * row.coverage_low, 100 * row.coverage_high
            look = {"fmt": marker, "color": colour, "capsize": 2, "markerfacecolor": colour if row.used else "white"}
            y = place + 0.28 * (number - (len(shown) - 1) / 2)
            ax.errorbar(value, y, xerr=[[value - low], [high - value]], **look)
    for interval, (colour, marker) in _STYLES.items():
        ax.plot([], [], marker, color=colour, label=interval)
    ax.plot([], [], "s", color="0.4", markerfacecolor="white", label="open: not used, for comparison")
    ax.set_yticks(range(len(cases)), [f"{quantity}, {case}" for (quantity, case), _ in cases])
    ax.set(ylim=(len(cases) - 0.5, -0.5), xlabel="intervals that contain the true value (%)")
    figure.legend(loc="outside upper center", ncols=5, columnspacing=1.2, handletextpad=0.4)
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
