"""Figures of 03_train: scores by source, confusions, convergence, learning and mixing curves.

Mixing curves are also of all tasks, for 05.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthlib.plots.style import (
    CLASSIFIER_LOOKS,
    CLASSIFIER_NAMES,
    COLUMN_WIDTH,
    PAGE_WIDTH,
    SOURCE_MARKERS,
    SOURCE_NAMES,
    SOURCE_PALETTE,
    pick_ink,
)
from synthlib.tasks import task_title

_MIXED = {"real": "real", "real+synthetic": "zero_shot+attributed"}  # sources whose looks mixing curves have


def plot_sources(metrics: pd.DataFrame, *, chance: float) -> Figure:
    """Plot Macro-F1 by training source with intervals; the dotted line is a classifier that always says one label.

    Parameters
    ----------
    metrics : DataFrame
        source, n_train, f1, f1_low, f1_high (fractions).
    """
    fig, ax = plt.subplots(figsize=(COLUMN_WIDTH, 0.28 * len(metrics) + 0.7))
    for y, row in enumerate(metrics.iloc[::-1].itertuples()):
        color = SOURCE_PALETTE[row.source]
        ax.plot([100 * row.f1_low, 100 * row.f1_high], [y, y], color=color, lw=1.5)
        ax.plot(100 * row.f1, y, SOURCE_MARKERS[row.source], color=color)
    names = [f"{SOURCE_NAMES[row.source]} ({row.n_train:,})" for row in metrics.iloc[::-1].itertuples()]
    ax.set_yticks(range(len(metrics)), names)
    ax.axvline(100 * chance, color="0.5", ls=":", lw=1)
    ax.set_xlabel("Macro-F1 on real test texts\n(points, 95% interval)")
    return fig


def plot_kinds(scores: pd.DataFrame) -> Figure:
    """Plot Macro-F1 by training source with intervals, one mark a kind of classifier.

    Parameters
    ----------
    scores : DataFrame
        classifier (of ``CLASSIFIER_NAMES``), source, f1, f1_low, f1_high (fractions).
    """
    sources, kinds = list(scores["source"].unique()), list(scores["classifier"].unique())
    fig, ax = plt.subplots(figsize=(COLUMN_WIDTH, 0.36 * len(sources) + 0.9))
    for number, kind in enumerate(kinds):
        color, marker = CLASSIFIER_LOOKS[kind]
        rows = scores[scores["classifier"] == kind]
        y = [sources.index(source) + 0.7 * ((number + 0.5) / len(kinds) - 0.5) for source in rows["source"]]
        ax.hlines(y, 100 * rows["f1_low"], 100 * rows["f1_high"], color=color, lw=1.2)
        ax.plot(100 * rows["f1"], y, marker, color=color, label=CLASSIFIER_NAMES[kind])
    ax.set_yticks(range(len(sources)), [SOURCE_NAMES[source] for source in sources])
    ax.set_ylim(len(sources) - 0.5, -0.5)
    ax.set_xlabel("Macro-F1 on real test texts\n(points, 95% interval)")
    fig.legend(loc="outside upper center", ncols=2)
    return fig


def plot_confusions(confusions: pd.DataFrame, labels: list[str]) -> Figure:
    """Plot one confusion matrix per source, as percent of each gold label.

    Parameters
    ----------
    confusions : DataFrame
        source, label, predicted, share (fraction of the texts of ``label``).
    """
    sources = list(confusions["source"].unique())
    fig, axes = plt.subplots(1, len(sources), figsize=(1.7 * len(sources) + 0.6, 2.6), sharey=True, squeeze=False)
    for ax, source in zip(axes[0], sources, strict=True):
        wide = confusions[confusions["source"] == source].pivot(index="label", columns="predicted", values="share")
        wide = 100 * wide.loc[labels, labels].to_numpy()
        image = ax.imshow(wide, cmap="Blues", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(wide):
            ink = pick_ink(image.cmap(image.norm(value)))
            ax.text(column, row, f"{value:.0f}", ha="center", va="center", color=ink, fontsize=7)
        ax.set_title(SOURCE_NAMES[source])
        ax.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        ax.set_yticks(range(len(labels)), labels)
        ax.grid(False)
    axes[0, 0].set_ylabel("gold label")
    fig.supxlabel("predicted label (percent of the gold label's texts)", fontsize=8)
    return fig


def plot_convergence(convergence: pd.DataFrame, *, watched: str | None) -> Figure:
    """Plot how training converges, one line per source; the band spans the seeds.

    Parameters
    ----------
    convergence : DataFrame
        Of :mod:`synthlib.training.convergence`: source, step, value, value_low, value_high.
    watched : str or None
        Which real texts the values are Macro-F1 (fractions) on, as ``validation``; None: they are losses (nats).
    """
    fig, ax = plt.subplots(figsize=(COLUMN_WIDTH, 3.0))
    rows = convergence.copy()
    if watched:
        rows[["value", "value_low", "value_high"]] *= 100
    else:
        ax.set_yscale("log")
    for source, curve in rows.groupby("source", sort=False):
        color = SOURCE_PALETTE[source]
        ax.fill_between(curve["step"], curve["value_low"], curve["value_high"], color=color, alpha=0.12, lw=0)
        look = {"color": color, "marker": SOURCE_MARKERS[source], "label": SOURCE_NAMES[source]}
        ax.plot(curve["step"], curve["value"], lw=1.2, ms=3, **look)
    ax.set_xlabel("optimiser steps")
    ax.set_ylabel(f"Macro-F1 (points)\non {watched} texts" if watched else "training loss (nats)")
    fig.legend(loc="outside upper center", ncols=2, columnspacing=1.0, handlelength=1.5)
    return fig


def plot_learning_curves(curves: pd.DataFrame) -> Figure:
    """Plot Macro-F1 against training texts per label, one line per source, with intervals."""
    fig, ax = plt.subplots(figsize=(COLUMN_WIDTH, 2.7))
    for source, rows in curves.groupby("source", sort=False):
        _draw_curve(ax, rows, source, SOURCE_NAMES[source])
    ax.set_xscale("log")
    ticks = sorted(curves["n_per_label"].unique())
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("training texts per label")
    ax.set_ylabel("Macro-F1 (points),\nband: 95% interval")
    fig.legend(loc="outside upper center", ncols=4, columnspacing=1.0, handlelength=1.5)
    return fig


def plot_mixing_curves(curves: pd.DataFrame) -> Figure:
    """Plot Macro-F1 against real texts per label, alone and added to synthetic ones; one panel per task.

    Parameters
    ----------
    curves : DataFrame
        task, source (``real`` or ``real+synthetic``), n_per_label, f1, f1_low, f1_high, and ``all_real``: Macro-F1 of
        all real rows, the same in every row of a task.
    """
    tasks = list(curves["task"].unique())
    n_columns = min(5, len(tasks))
    n_rows = -(-len(tasks) // n_columns)
    width = COLUMN_WIDTH if n_columns == 1 else min(PAGE_WIDTH, 1.4 * n_columns + 0.8)
    height = 2.5 if len(tasks) == 1 else 1.6 * n_rows + 0.5
    fig, axes = plt.subplots(n_rows, n_columns, figsize=(width, height), sharex=True, squeeze=False)
    for ax in axes.flat[len(tasks) :]:
        ax.set_visible(False)
    for ax, task in zip(axes.flat, tasks, strict=False):
        rows = curves[curves["task"] == task]
        for source, name in (("real", "real alone"), ("real+synthetic", "added to zero-shot + attributed")):
            _draw_curve(ax, rows[rows["source"] == source], _MIXED[source], name)
        ax.axhline(100 * rows["all_real"].iloc[0], color="0.4", ls="--", lw=1, label="all real rows")
        ax.set_xscale("symlog", linthresh=10)
        ticks = sorted(rows["n_per_label"].unique())
        shown = ticks if len(tasks) == 1 else [tick for tick in ticks if tick in (0, 10, 50, 200)]
        ax.set_xticks(shown, [f"{tick:g}" for tick in shown])
        ax.minorticks_off()
        ax.set_xlim(-2, 1.3 * ticks[-1])
        ax.set_title(task_title(task), size=7 if len(tasks) > 1 else 8)
    fig.supxlabel("real training texts per label", fontsize=8)
    fig.supylabel("Macro-F1 (points),\nband: 95% interval", fontsize=8, ha="center")
    handles, names = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=min(3, n_columns + 1))
    return fig


def _draw_curve(ax: Axes, rows: pd.DataFrame, source: str, name: str) -> None:
    rows, color = rows.sort_values("n_per_label"), SOURCE_PALETTE[source]
    x = rows["n_per_label"]
    ax.fill_between(x, 100 * rows["f1_low"], 100 * rows["f1_high"], color=color, alpha=0.15, lw=0)
    look = {"color": color, "marker": SOURCE_MARKERS[source], "label": name, "clip_on": False}
    ax.plot(x, 100 * rows["f1"], lw=1.2, ms=3.5, **look)
