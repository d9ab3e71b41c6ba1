"""Figures of agreement and accuracy on single texts (07_instance_subjectivity)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import stats

from synthlib.plots import sets
from synthlib.plots.style import (
    COLUMN_WIDTH,
    METHOD_LOOKS,
    PAGE_WIDTH,
    SOURCE_MARKERS,
    SOURCE_NAMES,
    SOURCE_PALETTE,
)
from synthlib.plots.table import format_estimates, table

_COLUMNS = 5
_TRENDS = {
    "rho": "Spearman's ρ of\naccuracy and γ",
    "slope": "slope of\naccuracy (points)",
    "balanced_slope": "slope, labels\nbalanced (points)",
    "slope_minus_real": "slope minus that\nof real (points)",
    "gap": "unanimous minus\ndisputed (points)",
}
#: By measure: header, axis, where nothing is found, and scale.
_QUESTIONS = {
    "balanced_slope": ("Does accuracy rise with agreement?", "slope of balanced\naccuracy (points)", 0.0, 100),
    "auc": ("Does doubt find disputed texts?", "AUC of\nuncertainty", 0.5, 1),
}
_EFFECTS = {"subjectivity": "task subjectivity", "disagreement": "dissent"}


def agreement_table(agreements: pd.DataFrame) -> Figure:
    """Return the study's Table 2: texts, votes, mean a_i and alpha by set of texts, the panel first.

    Parameters
    ----------
    agreements : DataFrame
        title, votes_of (panel, people or simulated; the panel's rows first), texts, votes, unanimous, agreement and
        alpha with intervals.
    """
    shown = pd.DataFrame(
        {
            "task": agreements["title"],
            "votes of": agreements["votes_of"].replace({"panel": "panel of personas"}),
            "texts": agreements["texts"].map("{:,}".format),
            "votes": agreements["votes"].map("{:,}".format, na_action="ignore"),
            "unanimous (%)": [f"{100 * share:.0f}" for share in agreements["unanimous"]],
            "mean $a_i$": format_estimates(agreements, "agreement", digits=3),
            "α": format_estimates(agreements, "alpha", digits=2),
        }
    )
    first = int((agreements["votes_of"] == "panel").sum())
    note = "Panel: five personas of one language model, not people. No α: only classes of agreement are public."
    return table(shown, rules=[first] if first < len(shown) else [], note=note)


def slopes(trends: pd.DataFrame) -> Figure:
    """Return how accuracy goes with gamma: a row per set of texts, a panel per measure, a point per training source.

    Parameters
    ----------
    trends : DataFrame
        title, votes_of, source, n_disputed, and with intervals rho (Spearman's, of accuracy and gamma), slope,
        balanced_slope and slope_minus_real (fractions per unit of gamma) and gap (fraction). Sets on which none of
        these is defined are named below.
    """
    defined = trends[list(_TRENDS)].notna().any(axis=1).groupby([trends["votes_of"], trends["title"]]).transform("any")
    rows = sets.list_rows(trends[defined])
    figure, axes = plt.subplots(1, len(_TRENDS), figsize=(PAGE_WIDTH, 0.25 * len(rows) + 1.4), sharey=True)
    for ax in axes[2:4]:
        ax.sharex(axes[1])
    for ax, (name, label) in zip(axes, _TRENDS.items(), strict=True):
        columns, scale = (name, f"{name}_low", f"{name}_high"), 1 if name == "rho" else 100
        sets.draw_estimates(ax, trends[defined], rows, columns, by="source", scale=scale)
        ax.axvline(0, color="0.3", linewidth=0.8, linestyle=":")
        ax.set_xlabel(label, size=7)
        ax.margins(x=0.18)
        ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    sets.name_rows(axes[0], rows, sets.count_disputed(trends))
    _add_legend(figure, axes[0])
    note = "Slopes: points of accuracy per unit of γ. Below five disputed texts the last column is not defined."
    sets.add_note(figure, note, trends[~defined], "fewer than three thresholds")
    return figure


def gamma_curves(curves: pd.DataFrame) -> Figure:
    """Return accuracy against the threshold gamma, a panel per task, a line with an interval band a training source.

    Parameters
    ----------
    curves : DataFrame
        title, source, gamma, n_texts, accuracy, accuracy_low, accuracy_high, constant (fractions; the dotted line).
        Under each title stands how many texts only lower thresholds keep.
    """
    titles = list(curves["title"].unique())
    n_rows = math.ceil(len(titles) / _COLUMNS)
    n_columns = min(_COLUMNS, len(titles))
    size = (max(COLUMN_WIDTH, PAGE_WIDTH * n_columns / _COLUMNS), 1.75 * n_rows + 0.5)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size, sharey=True, squeeze=False)
    for ax in axes.ravel()[len(titles) :]:
        ax.remove()
    for ax, title in zip(axes.ravel(), titles, strict=False):
        _draw_curves(ax, curves[curves["title"] == title], title)
    figure.supxlabel(
        "threshold γ: texts on which language-model personas (not people) have agreement $a_i$ ≥ γ", size=8
    )
    figure.supylabel("accuracy (%)", size=8)
    _add_legend(figure, axes[0, 0])
    return figure


def human_agreement(curves: pd.DataFrame, classes: pd.DataFrame) -> Figure:
    """Return the curves of texts with people's votes and, where both voted, the panel's agreement beside people's.

    Parameters
    ----------
    curves : DataFrame
        As for :func:`gamma_curves`.
    classes : DataFrame
        people (lower bound of people's agreement, fraction), n_texts, agreement, agreement_low, agreement_high (mean
        a_i of the panel); may be empty.
    """
    titles = list(curves["title"].unique())
    n_panels = len(titles) + (not classes.empty)
    n_rows, n_columns = math.ceil(n_panels / 2), min(2, n_panels)
    size = (PAGE_WIDTH * 0.4 * n_columns, 2.1 * n_rows + 0.3)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False)
    for ax in axes.ravel()[n_panels:]:
        ax.remove()
    for ax, title in zip(axes.ravel(), titles, strict=False):
        _draw_curves(ax, curves[curves["title"] == title], title)
        ax.set(xlabel="threshold γ of people's $a_i$", ylabel="accuracy (%)")
    if not classes.empty:
        ax = axes.ravel()[n_panels - 1]
        value, low, high = (100 * classes[name] for name in ("agreement", "agreement_low", "agreement_high"))
        look = {"color": METHOD_LOOKS[1][0], "fmt": METHOD_LOOKS[1][1], "capsize": 2}
        ax.errorbar(100 * classes["people"], value, [value - low, high - value], **look)
        ax.set_title("Panel of personas against people")
        ax.set(xlabel="people's agreement (%, at least)", ylabel="panel's mean $a_i$ (%)")
    _add_legend(figure, axes[0, 0])
    return figure


def uncertainty(found: pd.DataFrame) -> Figure:
    """Return the AUC of finding disputed texts by uncertainty, a row per set of texts, a point per training source.

    Parameters
    ----------
    found : DataFrame
        title, votes_of, source, n_disputed, auc, auc_low, auc_high; sets without AUC are named below.
    """
    defined = found["auc"].notna()
    rows = sets.list_rows(found[defined])
    figure, ax = plt.subplots(figsize=(PAGE_WIDTH * 0.8, 0.3 * len(rows) + 1.4))
    sets.draw_estimates(ax, found, rows, ("auc", "auc_low", "auc_high"), by="source", scale=1)
    ax.axvline(0.5, color="0.5", linestyle="--", linewidth=0.8)
    sets.name_rows(ax, rows, sets.count_disputed(found))
    ax.set_xlabel("AUC of uncertainty (dashed: chance)")
    _add_legend(figure, ax)
    sets.add_note(figure, "", found[~defined], "fewer than five disputed texts")
    return figure


def kinds_of_classifiers(trends: pd.DataFrame) -> Figure:
    """Return slopes of balanced accuracy and AUC of uncertainty, frozen beside fine-tuned; a panel per source.

    Parameters
    ----------
    trends : DataFrame
        title, votes_of, source, classifier, measure (``balanced_slope`` or ``auc``), value, low, high (fractions); sets
        on which nothing is defined are left out.
    """
    panels = list(trends.groupby(["measure", "source"], sort=False).groups)
    trends = trends.dropna(subset="value")
    rows = sets.list_rows(trends)
    size = (PAGE_WIDTH, 0.27 * len(rows) + 1.3)
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    first = dict(zip([measure for measure, _ in panels][::-1], axes[0][::-1], strict=True))
    for ax, (measure, source) in zip(axes[0], panels, strict=True):
        header, label, middle, scale = _QUESTIONS[measure]
        if ax is not first[measure]:
            ax.sharex(first[measure])
        chosen = trends[(trends["measure"] == measure) & (trends["source"] == source)]
        sets.draw_estimates(ax, chosen, rows, ("value", "low", "high"), by="classifier", scale=scale)
        ax.axvline(middle, color="0.3", linewidth=0.8, linestyle=":")
        ax.set_title(f"\ntrained on {SOURCE_NAMES[source]}")
        ax.set_xlabel(label)
        if ax is first[measure]:
            place = {"xytext": (0, 17), "textcoords": "offset points", "annotation_clip": False}
            ax.annotate(header, (0, 1), xycoords="axes fraction", weight="bold", size=8, **place).set_in_layout(False)
    sets.name_rows(axes[0, 0], rows)
    _add_legend(figure, axes[0, 0])
    return figure


def soft_labels(distances: pd.DataFrame) -> Figure:
    """Return the Manhattan distance of classifiers' probabilities to people's votes, a panel per set of texts.

    Parameters
    ----------
    distances : DataFrame
        title, source (training sources, ``votes`` and ``base rate``), manhattan, manhattan_low, manhattan_high.
    """
    titles = list(distances["title"].unique())
    sources = [name for name in distances["source"].unique() if name in SOURCE_NAMES]
    n_rows, n_columns = math.ceil(len(titles) / 2), min(2, len(titles))
    size = (PAGE_WIDTH * 0.45 * n_columns, (0.2 * len(sources) + 0.6) * n_rows + 0.2)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False, sharex=True, sharey=True)
    for ax in axes.ravel()[len(titles) :]:
        ax.remove()
    for ax, title in zip(axes.ravel(), titles, strict=False):
        rows = distances[distances["title"] == title].set_index("source")
        ax.axvline(rows.loc["base rate", "manhattan"], color="0.4", linestyle="--", linewidth=0.9)
        for place, source in enumerate(sources):
            row = rows.loc[source]
            ends = [[row["manhattan"] - row["manhattan_low"]], [row["manhattan_high"] - row["manhattan"]]]
            ax.errorbar(
                row["manhattan"], place, xerr=ends, fmt=SOURCE_MARKERS[source], color=SOURCE_PALETTE[source], capsize=2
            )
        ax.set_yticks(range(len(sources)), [SOURCE_NAMES[name] for name in sources])
        ax.set(ylim=(len(sources) - 0.5, -0.5))
        ax.set_title(title, size=8)
    figure.supxlabel("Manhattan distance to people's votes (0 to 2; dashed: base rate of the votes)", size=8)
    return figure


def mixed_model(coefficients: pd.DataFrame, residuals: np.ndarray, effects: np.ndarray) -> Figure:
    """Return the effects by source of the mixed model, and its residuals and random effects against a normal law.

    Parameters
    ----------
    coefficients : DataFrame
        term (``<source> x subjectivity`` and ``<source> x disagreement`` are drawn), estimate, low, high, task_low,
        task_high (fractions).
    residuals, effects : ndarray
        Of texts, and of sources on tasks.
    """
    shown = coefficients[coefficients["term"].str.contains(" x ")].reset_index(drop=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_WIDTH, 0.3 * len(shown) + 1.1), width_ratios=(3, 2))
    left.axvline(0, color="0.5", linestyle="--", linewidth=0.8)
    for place, row in enumerate(shown.itertuples()):
        source = row.term.split(" x ")[0]
        colour, marker = SOURCE_PALETTE[source], SOURCE_MARKERS[source]
        middle = (row.task_low + row.task_high) / 2
        for value, low, high, y, fill in (
            (row.estimate, row.low, row.high, place - 0.13, colour),
            (middle, row.task_low, row.task_high, place + 0.13, "white"),
        ):
            ends = [[100 * (value - low)], [100 * (high - value)]]
            left.errorbar(100 * value, y, xerr=ends, fmt=marker, color=colour, markerfacecolor=fill, capsize=2)
    names = [term.split(" x ") for term in shown["term"]]
    left.set_yticks(range(len(shown)), [f"{SOURCE_NAMES[source]} × {_EFFECTS[what]}" for source, what in names])
    left.set(ylim=(len(shown) - 0.5, -0.5))
    for side, text in (("right", "← gap widens  "), ("left", "  gap narrows →")):
        place = {"xycoords": left.get_xaxis_transform(), "xytext": (0, -22), "textcoords": "offset points"}
        left.annotate(text, (0, 0), size=7, ha=side, **place)
    label = "change of accuracy against real text (points),\nper s.d. of subjectivity, per dissenter of five"
    left.set_xlabel(label, labelpad=13)
    named = ((residuals, METHOD_LOOKS[1], "residuals"), (effects, METHOD_LOOKS[0], "sources on tasks"))
    for values, (colour, marker), name in named:
        places = stats.norm.ppf((np.arange(len(values)) + 0.5) / len(values))
        right.plot(places, np.sort(values) / np.std(values), marker, color=colour, markersize=2.5, label=name)
    right.axline((0, 0), slope=1, color="0.5", linestyle="--", linewidth=0.8)
    right.set(xlabel="normal quantile", ylabel="value (s.d.)")
    right.legend(loc="upper left")
    return figure


def _draw_curves(ax: Axes, rows: pd.DataFrame, title: str) -> None:
    for source, line in rows.groupby("source", sort=False):
        colour = SOURCE_PALETTE[source]
        low, high = 100 * line["accuracy_low"], 100 * line["accuracy_high"]
        ax.vlines(line["gamma"], low, high, color=colour, linewidth=0.6)
        ax.fill_between(line["gamma"], low, high, color=colour, alpha=0.15)
        style = {"color": colour, "marker": SOURCE_MARKERS[source], "label": SOURCE_NAMES[source]}
        ax.plot(line["gamma"], 100 * line["accuracy"], **style)
    line = rows.drop_duplicates("gamma")
    ax.plot(line["gamma"], 100 * line["constant"], color="0.5", linestyle=":", label="most frequent label")
    n_texts = rows["n_texts"]
    ax.set_title(f"{title}\n{n_texts.max() - n_texts.min():,} of {n_texts.max():,} disputed", size=7)
    ticks = []
    for gamma in sorted(rows["gamma"].unique(), reverse=True):
        ticks += [gamma] if not ticks or ticks[-1] - gamma >= 0.06 else []
    ax.set_xticks(ticks, [f"{gamma:.2g}" for gamma in ticks])


def _add_legend(figure: Figure, ax: Axes) -> None:
    handles, names = ax.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
