"""Figures of the report on a task of one's own (12_report)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from synthlib.plots.style import GROUP_COLORS, GROUP_MARKERS, GROUP_NAMES, HIGHLIGHT, METHOD_LOOKS, PAGE_WIDTH

_KINDS = {
    "own": (HIGHLIGHT, "*", "this task"),
    "people": (*METHOD_LOOKS[0], "people"),
    "panel": (*METHOD_LOOKS[1], "language-model personas, not people"),
}


def place(sets: pd.DataFrame, *, own_voters: str) -> Figure:
    """Return agreement on single texts of all sets with intervals: alpha at the left, mean a_i at the right.

    Parameters
    ----------
    sets : DataFrame
        title, kind (own, people or panel), and alpha and agreement, each with ``_low`` and ``_high``. Sets without
        single votes have no alpha, and their mean a_i is a lower bound.
    own_voters : str
        Who voted on the own set.
    """
    rows = sets.sort_values(["alpha", "agreement"], na_position="first", ignore_index=True)
    figure, axes = plt.subplots(1, 2, figsize=(PAGE_WIDTH, 0.2 * len(rows) + 1.1), sharey=True)
    names = {"alpha": "Krippendorff's α", "agreement": "mean share of the majority label, $a_i$"}
    for ax, (name, label) in zip(axes, names.items(), strict=True):
        for kind, group in rows.dropna(subset=name).groupby("kind"):
            color, marker, _ = _KINDS[kind]
            spread = [group[name] - group[f"{name}_low"], group[f"{name}_high"] - group[name]]
            size = 10 if kind == "own" else 4
            fill = [color if pd.notna(alpha) else "white" for alpha in group["alpha"]]
            ax.errorbar(
                group[name], group.index, xerr=np.maximum(spread, 0), fmt="none", color=color, capsize=2, lw=1.2
            )
            ax.scatter(group[name], group.index, s=size**2, c=fill, marker=marker, edgecolors=color, zorder=3)
        for line in rows.index[rows["kind"] == "own"]:
            ax.axhspan(line - 0.45, line + 0.45, color=HIGHLIGHT, alpha=0.12, lw=0)
        ax.set(xlabel=label, xlim=(None, 1.02))
    axes[0].set_yticks(rows.index, rows["title"])
    for text, kind in zip(axes[0].get_yticklabels(), rows["kind"], strict=True):
        text.set_fontweight("bold" if kind == "own" else "normal")
    named = {kind: name if kind != "own" else f"{name} ({own_voters})" for kind, (_, _, name) in _KINDS.items()}
    marks = [_mark(*_KINDS[kind][:2], named[kind]) for kind in _KINDS if kind in set(rows["kind"])]
    if rows["alpha"].isna().any():
        marks.append(
            Line2D([], [], color="0.3", marker="o", mfc="white", ls="", label="no α; $a_i$ perhaps a lower bound")
        )
    figure.legend(handles=marks, loc="outside lower center", ncols=2)
    return figure


def expectation(
    gaps: pd.DataFrame, lines: pd.DataFrame, mine: pd.DataFrame, *, judges: str, titles: dict[tuple[str, str], str]
) -> Figure:
    """Return the gap against subjectivity, a panel per pair of sources, with the interval for one more task.

    Parameters
    ----------
    gaps : DataFrame
        first, second, task, group, score, gap (fraction) of the tasks behind the line.
    lines : DataFrame
        first, second, score, gap, gap_low, gap_high: the line and its prediction interval.
    mine : DataFrame
        first, second, score (NaN: not known), gap, gap_low, gap_high: what the user's task may expect.
    judges : str
        Whose judgements the scores are.
    titles : dict
        Of the panels, by pair of sources.
    """
    pairs = list(gaps.groupby(["first", "second"], sort=False).groups)
    n_rows = (len(pairs) + 1) // 2
    shape = {"sharex": True, "sharey": True, "squeeze": False}
    figure, axes = plt.subplots(n_rows, 2, figsize=(PAGE_WIDTH, 2.3 * n_rows + 0.6), **shape)
    for ax, pair in zip(axes.flat, pairs, strict=False):
        _draw_expectation(ax, *(_rows_of(table, pair) for table in (gaps, lines, mine)))
        ax.set_title(titles[pair])
    for ax in axes.flat[len(pairs) :]:
        ax.axis("off")
    for ax in axes[-1]:
        ax.set_xlabel("subjectivity score")
    for ax in axes[:, 0]:
        ax.set_ylabel("gap (points of Macro-F1)")
    figure.suptitle(f"Scores by {judges}", size=8)
    handles = [
        _mark(GROUP_COLORS[g], GROUP_MARKERS[g], GROUP_NAMES[g]) for g in GROUP_MARKERS if g in set(gaps["group"])
    ]
    handles.append(Line2D([], [], color="0.4", lw=5, alpha=0.4, label="interval for one more task"))
    placed = mine["score"].notna().any()
    handles.append(_mark(HIGHLIGHT, "*", "this task, predicted" if placed else "this task: its score is not known"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw_expectation(ax: Axes, gaps: pd.DataFrame, lines: pd.DataFrame, mine: pd.DataFrame) -> None:
    ax.axhline(0, color="0.3", lw=0.8)
    ax.fill_between(lines["score"], 100 * lines["gap_low"], 100 * lines["gap_high"], color="0.4", alpha=0.18, lw=0)
    ax.plot(lines["score"], 100 * lines["gap"], color="0.4", lw=1.2, ls=":")  # dotted where it extrapolates
    inside = lines[lines["score"].between(gaps["score"].min(), gaps["score"].max())]
    ax.plot(inside["score"], 100 * inside["gap"], color="0.4", lw=1.2)
    for group, rows in gaps.groupby("group"):
        ax.plot(rows["score"], 100 * rows["gap"], GROUP_MARKERS[group], color=GROUP_COLORS[group])
    for row in mine.itertuples():
        known = np.isfinite(row.score)
        x = row.score if known else lines["score"].max() + 0.12 * np.ptp(lines["score"])
        spread = [[100 * (row.gap - row.gap_low)], [100 * (row.gap_high - row.gap)]]
        ax.errorbar([x], [100 * row.gap], yerr=spread, color=HIGHLIGHT, marker="*", ms=10, capsize=3, lw=1.6)


def _rows_of(table: pd.DataFrame, pair: tuple[str, str]) -> pd.DataFrame:
    return table[(table["first"] == pair[0]) & (table["second"] == pair[1])]


def _mark(color: str, marker: str, label: str) -> Line2D:
    return Line2D([], [], color=color, marker=marker, ls="", label=label)
