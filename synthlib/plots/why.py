"""Figures of 08_why: moderators of the gap, the irony case, maps of training sets, repairs."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from synthlib.plots.style import (
    COLUMN_WIDTH,
    METHOD_LOOKS,
    PAGE_WIDTH,
    SHADES,
    SOURCE_MARKERS,
    SOURCE_NAMES,
    SOURCE_PALETTE,
)
from synthlib.tasks import task_title

_MODELS = {"alone": (*METHOD_LOOKS[0], 0.17, "alone"), "pair": (*METHOD_LOOKS[1], -0.17, "beside subjectivity")}


def plot_moderators(table: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Plot the gap of each task and setting against each moderator, one panel a moderator.

    Parameters
    ----------
    table : DataFrame
        task, setting, quality_gap (points) and the columns ``names``.
    names : mapping
        Column to title.
    """
    n_columns = min(5, len(names))
    n_rows = -(-len(names) // n_columns)
    fig, axes = plt.subplots(n_rows, n_columns, figsize=(PAGE_WIDTH, 1.55 * n_rows + 0.4), sharey=True, squeeze=False)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for ax, (column, title) in zip(axes.flat, names.items(), strict=False):
        for setting, rows in table.groupby("setting", sort=False):
            look = {"color": SOURCE_PALETTE[setting], "label": SOURCE_NAMES[setting]}
            ax.plot(rows[column], rows["quality_gap"], SOURCE_MARKERS[setting], ms=3.5, alpha=0.85, **look)
        ax.axhline(0, color="0.3", lw=0.8, ls=":")
        ax.set_title(title, fontsize=7)
    fig.supylabel("size-matched real minus synthetic,\nMacro-F1 (points)", fontsize=8, ha="center")
    fig.supxlabel("moderator (higher: more subjective, or synthetic text further from real)", fontsize=8)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return fig


def plot_slopes(slopes: pd.DataFrame, names: Mapping[str, str], outcomes: Mapping[str, str]) -> Figure:
    """Plot slopes with intervals and leave-one-task-out ranges (grey), one panel an outcome.

    Parameters
    ----------
    slopes : DataFrame
        outcome and the columns of :func:`synthlib.explaining.moderation.regress`.
    names, outcomes : mapping
        Moderator and outcome to title.
    """
    shown = list(names)[::-1]
    fig, axes = plt.subplots(
        1, len(outcomes), figsize=(PAGE_WIDTH, 0.3 * len(shown) + 1.0), sharey=True, sharex=True, squeeze=False
    )
    for ax, (outcome, title) in zip(axes[0], outcomes.items(), strict=True):
        for model, (color, marker, offset, name) in _MODELS.items():
            rows = slopes[(slopes["outcome"] == outcome) & (slopes["model"] == model)]
            y = [shown.index(moderator) + offset for moderator in rows["moderator"]]
            ax.hlines(y, rows["left_out_low"], rows["left_out_high"], color="0.8", lw=5)
            ax.hlines(y, rows["slope_low"], rows["slope_high"], color=color, lw=1.2)
            ax.plot(rows["slope"], y, marker, color=color, label=name)
        ax.axvline(0, color="0.3", lw=0.8, ls=":")
        ax.set_title(title)
    finite = slopes.loc[slopes["model"].isin(_MODELS), ["left_out_low", "left_out_high", "slope"]].abs().to_numpy()
    reach = np.nanmax(finite) if np.isfinite(finite).any() else 1.0
    axes[0, 0].set_xlim(-1.1 * reach, 1.1 * reach)
    axes[0, 0].set_yticks(range(len(shown)), [names[moderator] for moderator in shown])
    cut = slopes.loc[slopes["model"].isin(_MODELS), ["slope_low", "slope_high"]].abs().max(axis=None) > 1.1 * reach
    about = "grey: one task left out" + ("; intervals that reach beyond are cut" if cut else "")
    fig.supxlabel(f"points of Macro-F1 for one standard deviation between tasks ({about})", fontsize=8)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


def plot_tags(scores: pd.DataFrame, *, rule: float) -> Figure:
    """Plot Macro-F1 against the share of tagged ironic training texts, on cleaned and on raw test tweets.

    Parameters
    ----------
    scores : DataFrame
        test_set, source, share, f1, f1_low, f1_high (fractions); ``real`` has share 0 only.
    rule : float
        Macro-F1 on raw tweets of calling ironic what has a tag.
    """
    fig, axes = plt.subplots(1, 2, figsize=(PAGE_WIDTH * 0.8, 2.5), sharey=True)
    for ax, test_set in zip(axes, ("cleaned", "raw"), strict=True):
        rows = scores[scores["test_set"] == test_set]
        real = rows[rows["source"] == "real"].iloc[0]
        ax.axhspan(100 * real.f1_low, 100 * real.f1_high, color="0.88", lw=0)
        ax.axhline(100 * real.f1, color=SOURCE_PALETTE["real"], lw=1, label="real (no tag)")
        for place, (source, line) in enumerate(rows[rows["source"] != "real"].groupby("source", sort=False)):
            x = 100 * line["share"] + 1.2 * (place - 1)
            ends = 100 * np.abs(line[["f1_low", "f1_high"]].to_numpy().T - line["f1"].to_numpy())
            look = {"color": SOURCE_PALETTE[source], "marker": SOURCE_MARKERS[source], "label": SOURCE_NAMES[source]}
            ax.errorbar(x, 100 * line["f1"], ends, lw=1.2, **look)
        ax.set_title(f"{test_set} test tweets")
        ax.set_xlabel("ironic training texts with a tag (%)")
    axes[1].axhline(100 * rule, color="0.4", lw=1, ls=":")
    axes[1].annotate(
        "rule: tag, so ironic", (0, 100 * rule), (0, -3), textcoords="offset points", va="top", fontsize=6.5
    )
    axes[0].set_ylabel("Macro-F1 (points),\n95% interval")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return fig


def plot_cartography(texts: pd.DataFrame, *, task: str) -> Figure:
    """Plot the map of each setting: confidence against variability; crosses where a model of real text disagrees.

    Parameters
    ----------
    texts : DataFrame
        setting, confidence, variability, disagrees.
    """
    settings = list(texts["setting"].unique())
    width = max(COLUMN_WIDTH, 2.6 * len(settings) + 0.4)
    fig, axes = plt.subplots(1, len(settings), figsize=(width, 2.9), sharex=True, sharey=True, squeeze=False)
    looks = {False: (SHADES[2], "o", "it gives the label asked for"), True: (SHADES[0], "x", "it gives another label")}
    for ax, setting in zip(axes[0], settings, strict=True):
        for disagrees, (color, marker, name) in looks.items():
            rows = texts[(texts["setting"] == setting) & (texts["disagrees"] == disagrees)]
            ax.plot(rows["variability"], rows["confidence"], marker, color=color, ms=3, alpha=0.6, label=name)
        ax.set_title(f"{task_title(task)}, {SOURCE_NAMES[setting]}")
    axes[0, 0].set_ylabel("confidence\n(mean probability of its label)")
    fig.supxlabel("variability (standard deviation over training)", fontsize=8)
    handles, names = axes[0, 0].get_legend_handles_labels()
    fig.legend(
        handles, names, loc="outside upper center", ncols=2, title="classifier trained on real text:", title_fontsize=7
    )
    return fig


def plot_repairs(gains: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Plot what each repair gains over the texts as they are: tasks as grey dots, their mean with its interval.

    Parameters
    ----------
    gains : DataFrame
        task (``all``: the mean), setting, repair, than, f1, f1_low, f1_high (fractions).
    names : mapping
        Repair to title, in the order drawn.
    """
    gains = gains[gains["than"] == "as_is"]
    settings, shown = list(gains["setting"].unique()), list(names)[::-1]
    height = 0.34 * len(shown) + 0.8
    fig, axes = plt.subplots(1, len(settings), figsize=(PAGE_WIDTH, height), sharex=True, sharey=True, squeeze=False)
    for ax, setting in zip(axes[0], settings, strict=True):
        for row in gains[(gains["setting"] == setting) & gains["repair"].isin(shown)].itertuples():
            y = shown.index(row.repair)
            if row.task == "all":
                ax.plot([100 * row.f1_low, 100 * row.f1_high], [y, y], color=SOURCE_PALETTE[setting], lw=2, zorder=3)
                ax.plot(100 * row.f1, y, "D", color=SOURCE_PALETTE[setting], ms=5, zorder=4)
            else:
                ax.plot(100 * row.f1, y, "o", color="0.55", ms=2.5, alpha=0.8)
        ax.axvline(0, color="0.3", lw=0.8, ls=":")
        ax.set_title(SOURCE_NAMES[setting])
    axes[0, 0].set_yticks(range(len(shown)), [names[repair] for repair in shown])
    axes[0, 0].set_ylim(-0.6, len(shown) - 0.4)
    fig.supxlabel(
        "gain over the texts as they are, Macro-F1 (points); dots: tasks, bar: mean, 95% interval", fontsize=8
    )
    return fig
