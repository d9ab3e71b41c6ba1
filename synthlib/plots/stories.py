"""Figures of 09_stories: diversity and openings by recipe and by task, and what classifiers learn of requests."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthlib.plots.style import COLUMN_WIDTH, RECIPE_LOOKS, SOURCE_MARKERS, SOURCE_NAMES, SOURCE_PALETTE
from synthlib.tasks import task_title

RECIPE_NAMES = {"direct": "stories, direct", "hierarchical": "stories, hierarchical", "textbook": "textbook"}
LABEL_NAMES = {"bad_ending": "bad ending", "audience": "audience\n(textbook)"}
_MEASURES = {"remote_clique": "Remote Clique", "chamfer": "Chamfer"}


def plot_diversity(averaged: pd.DataFrame) -> Figure:
    """Plot diversity at equal numbers, a panel per measure: recipes on top, tasks by setting below, with intervals.

    Parameters
    ----------
    averaged : DataFrame
        source (a recipe or a task), setting, measure (remote_clique, chamfer), value, value_low, value_high.
    """
    sources = list(dict.fromkeys(averaged["source"]))
    settings = [setting for setting in averaged["setting"].unique() if setting in SOURCE_NAMES]
    n_recipes = sum(source in RECIPE_NAMES for source in sources)
    fig, axes = plt.subplots(1, 2, figsize=(COLUMN_WIDTH, 0.25 * len(sources) + 1.0), sharey=True)
    for ax, (measure, title) in zip(axes, _MEASURES.items(), strict=True):
        for setting, part in averaged[averaged["measure"] == measure].groupby("setting", sort=False):
            shift = 0.24 * (settings.index(setting) - (len(settings) - 1) / 2) if setting in settings else 0.0
            for row in part.itertuples():
                color, marker = _pick_look(row.source if row.source in RECIPE_LOOKS else setting)
                y = sources.index(row.source) + shift
                ax.plot([row.value_low, row.value_high], [y, y], color=color, lw=1.1)
                ax.plot(row.value, y, marker, color=color, markersize=3)
        ax.axhline(n_recipes - 0.5, color="0.5", lw=0.8)
        ax.set_xlabel(f"{title}\n(cosine distance)")
    axes[0].set_yticks(range(len(sources)), [RECIPE_NAMES.get(s) or task_title(s) for s in sources])
    axes[0].set_ylim(len(sources) - 0.4, -0.6)
    for setting in settings:
        style = {"color": SOURCE_PALETTE[setting], "label": SOURCE_NAMES[setting]}
        axes[0].plot([], [], SOURCE_MARKERS[setting], markersize=3, **style)
    fig.legend(loc="outside upper center", ncols=3, handletextpad=0.2, columnspacing=1.2)
    return fig


def plot_openings(openings: pd.DataFrame) -> Figure:
    """Plot the share of texts that begin with the commonest first words, by how many words make an opening.

    Parameters
    ----------
    openings : DataFrame
        name (a recipe or a setting), n_words, value, value_low, value_high (fractions; an interval may be missing).
    """
    fig, ax = plt.subplots(figsize=(COLUMN_WIDTH, 2.5))
    names = list(dict.fromkeys(openings["name"]))
    for name, shift in zip(names, np.linspace(-0.16, 0.16, len(names)), strict=True):
        part = openings[openings["name"] == name].sort_values("n_words")
        x, (color, marker) = part["n_words"] + shift, _pick_look(name)
        ax.vlines(x, 100 * part["value_low"], 100 * part["value_high"], color=color, lw=1)
        label = RECIPE_NAMES.get(name) or f"tasks, {SOURCE_NAMES[name]}"
        ax.plot(x, 100 * part["value"], marker=marker, markersize=3.5, lw=1, color=color, label=label)
    ax.set_xticks(sorted(openings["n_words"].unique()))
    ax.set(xlabel="first words that make an opening", ylabel="texts with the\ncommonest opening (%)", ylim=(0, None))
    fig.legend(loc="outside upper center", ncols=2, columnspacing=1.2)
    return fig


def plot_features(scores: pd.DataFrame, *, confidence: float) -> Figure:
    """Plot Macro-F1 of each drawn label, learnt within a recipe (left) and tested on the other form (right).

    Parameters
    ----------
    scores : DataFrame
        label, trained_on, tested_on, learner (encoder, style, majority), f1, f1_low, f1_high (fractions).
    """
    labels = list(dict.fromkeys(scores["label"]))
    fig, axes = plt.subplots(1, 2, figsize=(COLUMN_WIDTH, 0.42 * len(labels) + 1.2), sharex=True, sharey=True)
    within = scores["trained_on"] == scores["tested_on"]
    for ax, part, title in (
        (axes[0], scores[within], "held-out texts\nof the same form"),
        (axes[1], scores[~within], "texts of the\nother form"),
    ):
        _draw_scores(ax, part, labels)
        ax.set_title(title)
    axes[0].set_yticks(range(len(labels)), [LABEL_NAMES.get(label, label) for label in labels])
    axes[0].set_ylim(len(labels) - 0.4, -0.6)
    fig.supxlabel(f"Macro-F1 (points, {100 * confidence:.0f}% interval)", fontsize=8)
    for recipe in dict.fromkeys(scores["trained_on"]):
        color, marker = RECIPE_LOOKS[recipe]
        axes[1].plot([], [], marker, color=color, label=f"trained on {RECIPE_NAMES[recipe]}")
    axes[1].plot([], [], "o", mfc="white", color="0.3", label="the same, style alone")
    axes[1].plot([], [], "|", color="0.3", markersize=7, label="majority")
    fig.legend(loc="outside upper center", ncols=2, handletextpad=0.2, columnspacing=1.0)
    return fig


def _draw_scores(ax: Axes, scores: pd.DataFrame, labels: list[str]) -> None:
    recipes = list(dict.fromkeys(scores["trained_on"]))
    for row in scores.itertuples():
        pair = recipes[:2] if row.trained_on in recipes[:2] else [row.trained_on]
        y = labels.index(row.label) + (pair.index(row.trained_on) - (len(pair) - 1) / 2) * 0.44
        color, marker = RECIPE_LOOKS[row.trained_on]
        if row.learner == "majority":
            ax.plot(100 * row.f1, y, "|", color="0.3", markersize=7)
            continue
        y += 0.0 if row.learner == "encoder" else 0.18
        ax.plot([100 * row.f1_low, 100 * row.f1_high], [y, y], color=color, lw=1.3 if row.learner == "encoder" else 0.7)
        face = color if row.learner == "encoder" else "white"
        ax.plot(100 * row.f1, y, marker, color=color, mfc=face, markersize=3.5)


def _pick_look(name: str) -> tuple[str, str]:
    """Return colour and marker of a recipe or a setting."""
    return RECIPE_LOOKS.get(name) or (SOURCE_PALETTE[name], SOURCE_MARKERS[name])
