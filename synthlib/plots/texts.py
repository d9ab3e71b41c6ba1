"""Figures of 02_generate: lengths asked for and written, nearness to shown examples, style shortcuts, scoring."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from synthlib.plots.style import COLUMN_WIDTH, PAGE_WIDTH, SOURCE_MARKERS, SOURCE_NAMES, SOURCE_PALETTE

_STYLES = {"real": "-", "zero_shot": "--", "few_shot": "-.", "attributed": ":"}
_STYLES |= {"hierarchical": (0, (5, 1)), "grounded": (0, (1, 1)), "verbalized": (0, (3, 1, 1, 1, 1, 1))}


def plot_lengths(lengths: pd.DataFrame, *, tolerance: float) -> Figure:
    """Plot written against requested words, a panel per setting that asked for lengths, and all lengths as shares.

    Parameters
    ----------
    lengths : DataFrame
        setting (or ``real``), requested_words (missing where none was asked for), written_words: one row per text.
    tolerance : float
        Half width of the band around the requested length, as a fraction of it.
    """
    asked = [s for s, part in lengths.groupby("setting", sort=False) if part["requested_words"].notna().any()]
    fig, axes = plt.subplots(1, len(asked) + 1, figsize=(PAGE_WIDTH, 2.5), squeeze=False)
    top = lengths["requested_words"].max() * 1.4 if asked else 1
    for ax, setting in zip(axes[0], asked, strict=False):
        part = lengths[lengths["setting"] == setting].dropna(subset=["requested_words"])
        counts = part.groupby(["requested_words", "written_words"]).size().reset_index(name="texts").astype(float)
        ends = np.array([0, top])
        ax.fill_between(ends, ends * (1 - tolerance), ends * (1 + tolerance), color="0.9", lw=0)
        ax.plot(ends, ends, color="0.5", lw=0.8)
        area = 40 * counts["texts"] / counts["texts"].max()
        ax.scatter(
            counts["requested_words"], counts["written_words"], s=area, color=SOURCE_PALETTE[setting], alpha=0.7, lw=0
        )
        low, high = part["requested_words"].min(), part["requested_words"].max()
        margin = 0.06 * (high - low) + 1
        ax.set(
            xlim=(low - margin, high + margin), ylim=(0, max(high * (1 + tolerance), counts["written_words"].max()) + 2)
        )
        ax.set_title(f"{SOURCE_NAMES[setting]} (band: ±{100 * tolerance:.0f}%)")
        ax.set_xlabel("length asked for (words)")
    axes[0, 0].set_ylabel("length written (words)")
    for source, part in lengths.groupby("setting", sort=False):
        style = {"color": SOURCE_PALETTE[source], "ls": _STYLES[source], "lw": 1.3}
        axes[0, -1].ecdf(part["written_words"], label=SOURCE_NAMES[source], **style)
    axes[0, -1].set(xlabel="length (words)", xlim=(0, lengths["written_words"].quantile(0.98)))
    axes[0, -1].set(title="all texts", ylabel="share of texts")
    fig.legend(loc="outside lower right", ncols=4)
    return fig


def plot_nearest_example(nearness: pd.DataFrame, *, threshold: float) -> Figure:
    """Plot how near few-shot and grounded texts are to the real texts shown before them, and to others of the pool.

    Parameters
    ----------
    nearness : DataFrame
        setting, example_cosine and other_cosine, one row per text.
    threshold : float
        Cosine at which a text counts as a copy.
    """
    fig, ax = plt.subplots(figsize=(COLUMN_WIDTH, 2.3))
    for setting, part in nearness.groupby("setting", sort=False):
        color = SOURCE_PALETTE[setting]
        ax.ecdf(part["other_cosine"], label=f"{SOURCE_NAMES[setting]}: not shown", lw=1.2, color=color, ls="--")
        ax.ecdf(part["example_cosine"], label=f"{SOURCE_NAMES[setting]}: shown", lw=1.4, color=color)
    ax.axvline(threshold, color="0.5", ls=":", lw=1)
    ax.text(threshold, 0.5, "copy ", ha="right", va="center", rotation=90, color="0.4", fontsize=7)
    ax.set(xlabel="cosine to the nearest of the real texts", ylabel="share of texts", xlim=(None, 1))
    ax.legend(loc="center right", bbox_to_anchor=(0.9, 0.3))
    return fig


def plot_shortcuts(scores: pd.DataFrame, *, chance: float, confidence: float) -> Figure:
    """Plot Macro-F1 from function words alone by source: within it, and trained on it and tested on real texts.

    Parameters
    ----------
    scores : DataFrame
        setting (the source), measure (function_words_f1 or function_words_to_real_f1), value, value_low, value_high.
    chance : float
        Macro-F1 of guessing (dotted line), a fraction like the scores.
    confidence : float
        Of the intervals in ``scores``.
    """
    sources = list(dict.fromkeys(scores["setting"]))
    fig, ax = plt.subplots(figsize=(COLUMN_WIDTH, 0.42 * len(sources) + 0.9))
    for measure, marker, shift in (("function_words_f1", "o", 0.12), ("function_words_to_real_f1", "s", -0.12)):
        for row in scores[scores["measure"] == measure].itertuples():
            y = len(sources) - 1 - sources.index(row.setting) + shift
            color = SOURCE_PALETTE[row.setting]
            ax.plot([100 * row.value_low, 100 * row.value_high], [y, y], color=color, lw=1.4)
            ax.plot(100 * row.value, y, marker, color=color, mfc=color if marker == "o" else "white")
    ax.plot([], [], "o", color="0.3", label="tested on the same source")
    ax.plot([], [], "s", color="0.3", mfc="white", label="tested on real")
    ax.axvline(100 * chance, color="0.5", ls=":", lw=1, label="guessing")
    ax.set_yticks(range(len(sources)), [SOURCE_NAMES[source] for source in reversed(sources)])
    ax.set_ylim(-0.5, len(sources) - 0.5)
    ax.set_xlabel(f"Macro-F1 from function words alone\n(points, {100 * confidence:.0f}% interval)")
    fig.legend(loc="outside upper center", ncols=3, handletextpad=0.3, columnspacing=1.0)
    return fig


def plot_scoring(curve: pd.DataFrame, *, confidence: float) -> Figure:
    """Plot what classifiers learn from a growing corpus: Macro-F1 against its size, and its cost where it cost money.

    A ring marks where growth is flat for the first time.

    Parameters
    ----------
    curve : DataFrame
        Of :func:`synthlib.growth.find_curve`.
    confidence : float
        Of the intervals in ``curve``.
    """
    axes_of = {"n_per_label": "texts per label"}
    if curve["cost_usd"].gt(0).all():
        axes_of["cost_usd"] = "cost (USD)"
    size = (COLUMN_WIDTH if len(axes_of) == 1 else PAGE_WIDTH, 2.6)
    fig, axes = plt.subplots(1, len(axes_of), figsize=size, squeeze=False, sharey=True)
    for ax, (column, title) in zip(axes[0], axes_of.items(), strict=True):
        for setting, part in curve.groupby("setting", sort=False):
            color = SOURCE_PALETTE[setting]
            ax.fill_between(part[column], 100 * part["f1_low"], 100 * part["f1_high"], color=color, alpha=0.2, lw=0)
            look = {"marker": SOURCE_MARKERS[setting], "ls": _STYLES[setting], "color": color}
            ax.plot(part[column], 100 * part["f1"], label=SOURCE_NAMES[setting], **look)
            first = part[part["flat"]].head(1)
            ax.plot(first[column], 100 * first["f1"], "o", ms=9, mfc="none", mec=color)
        ax.set_xlabel(title)
    if curve["flat"].any():
        axes[0, 0].plot([], [], "o", ms=9, mfc="none", mec="0.3", ls="", label="flat from here")
    axes[0, 0].set_ylabel(f"Macro-F1 (points) on real rows,\n{100 * confidence:.0f}% interval over seeds")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=4, handletextpad=0.3, columnspacing=1.0)
    return fig
