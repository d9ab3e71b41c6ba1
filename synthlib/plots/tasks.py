"""Figures of 01_tasks: balance of the labels, lengths of the texts, overlap of training and test texts."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from synthlib.plots.style import (
    COLUMN_WIDTH,
    GROUP_COLORS,
    GROUP_MARKERS,
    GROUP_NAMES,
    PAGE_WIDTH,
    SHADES,
    pick_ink,
)
from synthlib.tasks import task_title


def plot_balance(balance: pd.DataFrame) -> Figure:
    """Plot the share of each label among a task's training rows.

    Parameters
    ----------
    balance : DataFrame
        task, label, share (fraction), in the order to draw.
    """
    tasks = list(balance["task"].unique())[::-1]
    fig, ax = plt.subplots(figsize=(PAGE_WIDTH, 0.27 * len(tasks) + 0.6))
    for task, rows in balance.groupby("task", sort=False):
        left = 0.0
        for number, row in enumerate(rows.itertuples()):
            color = SHADES[number % len(SHADES)]
            ax.barh(tasks.index(task), 100 * row.share, left=left, color=color, edgecolor="white", height=0.75)
            style = {"ha": "center", "va": "center", "color": pick_ink(color), "fontsize": 6.5}
            ax.text(left + 50 * row.share, tasks.index(task), row.label.replace("_", " "), **style)
            left += 100 * row.share
    ax.set_yticks(range(len(tasks)), map(task_title, tasks))
    ax.set_xlim(0, 100)
    ax.set_xlabel("training rows (percent)")
    ax.grid(False)
    return fig


def plot_lengths(lengths: pd.DataFrame) -> Figure:
    """Plot the lengths of each task's texts: median and the middle 80%, on a log scale.

    Parameters
    ----------
    lengths : DataFrame
        task, group, words_q10, words_median, words_q90.
    """
    tasks = list(lengths["task"])[::-1]
    fig, ax = plt.subplots(figsize=(COLUMN_WIDTH, 0.22 * len(tasks) + 0.7))
    for row in lengths.itertuples():
        y, color = tasks.index(row.task), GROUP_COLORS[row.group]
        ax.plot([row.words_q10, row.words_q90], [y, y], color=color, lw=1.5)
        ax.plot(row.words_median, y, GROUP_MARKERS[row.group], color=color)
    for group in dict.fromkeys(lengths["group"]):
        ax.plot([], [], GROUP_MARKERS[group], color=GROUP_COLORS[group], label=GROUP_NAMES[group])
    ax.set_xscale("log")
    ax.set_xticks([5, 10, 20, 50, 100, 200, 500], ["5", "10", "20", "50", "100", "200", "500"])
    ax.minorticks_off()
    ax.set_yticks(range(len(tasks)), map(task_title, tasks))
    ax.set_xlabel("words per text (median, middle 80%)")
    fig.legend(loc="outside upper center", ncols=1)
    return fig
