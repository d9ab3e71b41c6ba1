"""Figures of a study's design (10_collect): what more workers buy, and whether a walk-through finds what went in."""

from __future__ import annotations

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from synthlib.plots.style import COLUMN_WIDTH, METHOD_LOOKS, PAGE_WIDTH

_AXES = {
    "score_width": "width of a score's interval (log-odds)",
    "rank_correlation": "Spearman's rho with the truth",
    "alpha_width": "width of the interval of α",
    "agreement_width": "width of the interval of mean $a_i$",
}


def interval_widths(widths: pd.DataFrame) -> Figure:
    """Return what each number of workers buys, a panel per measure, with Monte Carlo intervals.

    Parameters
    ----------
    widths : DataFrame
        From :func:`synthlib.crowd.power.simulate_pairs` or ``simulate_instances``: n_workers, votes_per_item, measure,
        value, value_low, value_high.
    """
    measures, (color, marker) = list(dict.fromkeys(widths["measure"])), METHOD_LOOKS[0]
    figure, axes = plt.subplots(1, len(measures), figsize=(PAGE_WIDTH, 2.6), squeeze=False)
    for ax, measure in zip(axes[0], measures, strict=True):
        rows = widths[widths["measure"] == measure].dropna(subset="value")
        spread = [rows["value"] - rows["value_low"], rows["value_high"] - rows["value"]]
        ax.errorbar(rows["n_workers"], rows["value"], yerr=spread, color=color, marker=marker, capsize=2, lw=1.2)
        ax.set(xscale="log", xlabel="workers (below: votes per item)", ylabel=_AXES[measure])
        named = [f"{row.n_workers}\n{row.votes_per_item:.3g}" for row in rows.itertuples()]
        ax.set_xticks(rows["n_workers"], named)
        ax.xaxis.set_minor_locator(NullLocator())
        ax.margins(x=0.08)
        if measure != "rank_correlation":
            ax.set_ylim(bottom=0)
    return figure


def recovered_scores(scores: pd.DataFrame) -> Figure:
    """Return scores found from simulated workers against those they were given, with intervals.

    Parameters
    ----------
    scores : DataFrame
        title, assumed, score, score_low, score_high.
    """
    figure, ax = plt.subplots(figsize=(COLUMN_WIDTH, 0.28 * len(scores) + 0.9))
    rows = scores.sort_values("assumed", ignore_index=True)
    spread = [rows["score"] - rows["score_low"], rows["score_high"] - rows["score"]]
    (assumed, _), (found, marker) = METHOD_LOOKS[:2]
    ax.errorbar(rows["score"], rows.index, xerr=spread, fmt=marker, color=found, capsize=2, lw=1.2, label="found")
    ax.plot(rows["assumed"], rows.index, "|", color=assumed, ms=11, mew=2, label="assumed", zorder=3)
    ax.set_yticks(rows.index, rows["title"])
    ax.set(xlabel="score (log-odds; right: more subjective)", title="Simulated workers, not people")
    ax.margins(y=0.08)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
