"""Figures of agreement and accuracy on single texts (07_instance_subjectivity)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from synthlib.plots.style import (
    CLASSIFIER_LOOKS,
    CLASSIFIER_NAMES,
    COLUMN_WIDTH,
    PAGE_WIDTH,
    SOURCE_NAMES,
    SOURCE_PALETTE,
)
from synthlib.plots.table import format_estimates, table

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_COLUMNS = 5


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
            "texts": agreements["texts"],
            "votes": agreements["votes"],
            "unanimous (%)": [f"{100 * share:.0f}" for share in agreements["unanimous"]],
            "mean $a_i$": format_estimates(agreements, "agreement", digits=3),
            "α": format_estimates(agreements, "alpha", digits=2),
        }
    )
    first = int((agreements["votes_of"] == "panel").sum())
    note = "Panel: five personas of one language model, not people. No α: only classes of agreement are public."
    return table(shown, rules=[first] if first < len(shown) else [], note=note)


def slopes_table(slopes: pd.DataFrame) -> Figure:
    """Return how accuracy goes with gamma, a block of rows per set of texts.

    Parameters
    ----------
    slopes : DataFrame
        title, votes_of, source (in the same order in every block), n_disputed, and with intervals rho, slope, gap,
        balanced_slope and slope_minus_real.
    """
    repeated = slopes.duplicated(["title", "votes_of"])
    shown = pd.DataFrame(
        {
            "task": slopes["title"].mask(repeated, ""),
            "votes of": slopes["votes_of"].mask(repeated, ""),
            "trained on": slopes["source"].map(SOURCE_NAMES),
            "disputed": slopes["n_disputed"],
        }
    )
    heads = {"rho": "rho", "slope": "slope", "gap": "gap", "balanced_slope": "slope, labels\nbalanced"}
    for name, head in (heads | {"slope_minus_real": "slope minus\nthat of real"}).items():
        shown[head] = format_estimates(slopes, name, digits=2)
    note = "rho: Spearman, accuracy with gamma; slope: accuracy (fraction) per unit of gamma; gap: unanimous minus "
    note += "disputed texts. A dash: undefined (fewer than three thresholds, or five disputed texts). "
    note += "Panel: personas of one language model, not people."
    return table(shown, rules=np.flatnonzero(~repeated)[1:], note=note)


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
        values = [100 * classes[name] for name in ("agreement", "agreement_low", "agreement_high")]
        ax.errorbar(
            100 * classes["people"], values[0], [values[0] - values[1], values[2] - values[0]], fmt="ko", capsize=2
        )
        ax.set_title("Panel of personas against people")
        ax.set(xlabel="people's agreement (%, at least)", ylabel="panel's mean $a_i$ (%)")
    _add_legend(figure, axes[0, 0])
    return figure


def uncertainty(found: pd.DataFrame) -> Figure:
    """Return the AUC of finding disputed texts by uncertainty, a row per set of texts, a point per training source.

    Parameters
    ----------
    found : DataFrame
        title, source, n_disputed, auc, auc_low, auc_high; rows without AUC are shown as empty.
    """
    titles, sources = list(found["title"].unique()), list(found["source"].unique())
    figure, ax = plt.subplots(figsize=(PAGE_WIDTH * 0.7, 0.3 * len(titles) + 0.9))
    ax.axvline(0.5, color="0.5", linestyle="--", linewidth=0.8)
    for number, source in enumerate(sources):
        rows = found[found["source"] == source].set_index("title").loc[titles]
        y = [place + 0.6 * ((number + 0.5) / len(sources) - 0.5) for place in range(len(titles))]
        reach = [rows["auc"] - rows["auc_low"], rows["auc_high"] - rows["auc"]]
        style = {"color": SOURCE_PALETTE[source], "fmt": _MARKERS[number % len(_MARKERS)], "markersize": 3}
        ax.errorbar(rows["auc"], y, xerr=reach, linewidth=0.8, label=SOURCE_NAMES[source], **style)
    counts = found.drop_duplicates("title").set_index("title")["n_disputed"]
    ax.set_yticks(range(len(titles)), [f"{title} ({counts[title]})" for title in titles])
    ax.set(
        xlim=(0, 1),
        ylim=(len(titles) - 0.5, -0.5),
        xlabel="AUC of uncertainty (dashed: chance)\npanel: language-model personas, not people",
    )
    _add_legend(figure, ax)
    return figure


def kinds_of_classifiers(trends: pd.DataFrame) -> Figure:
    """Return slopes of balanced accuracy and AUC of uncertainty, frozen beside fine-tuned; a panel per source.

    Parameters
    ----------
    trends : DataFrame
        title, votes_of, source, classifier, measure (``balanced_slope`` or ``auc``), value, low, high; sets on which
        nothing is defined are left out.
    """
    panels = list(trends.groupby(["measure", "source"], sort=False).groups)
    trends = trends.dropna(subset="value")
    names = trends["title"] + ", " + trends["votes_of"]
    titles = list(names.unique())
    size = (PAGE_WIDTH, 0.3 * len(titles) + 1.0)
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    for ax, (measure, source) in zip(axes[0], panels, strict=True):
        for kind, offset in (("frozen", -0.17), ("fine_tuned", 0.17)):
            color, marker = CLASSIFIER_LOOKS[kind]
            chosen = (trends["measure"] == measure) & (trends["source"] == source) & (trends["classifier"] == kind)
            rows = trends[chosen]
            y = [titles.index(title) + offset for title in names[chosen]]
            ax.hlines(y, rows["low"], rows["high"], color=color, lw=1.2)
            ax.plot(rows["value"], y, marker, color=color, markersize=3, label=CLASSIFIER_NAMES[kind])
        ax.axvline(0.0 if measure == "balanced_slope" else 0.5, color="0.3", linewidth=0.8, linestyle=":")
        of_what = "slope of balanced\naccuracy over γ" if measure == "balanced_slope" else "AUC of uncertainty"
        ax.set(title=SOURCE_NAMES[source], xlabel=of_what, ylim=(len(titles) - 0.5, -0.5))
    axes[0, 0].set_yticks(range(len(titles)), titles)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
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
                row["manhattan"], place, xerr=ends, fmt=_MARKERS[place], color=SOURCE_PALETTE[source], capsize=2
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
        colour = SOURCE_PALETTE[row.term.split(" x ")[0]]
        middle = (row.task_low + row.task_high) / 2
        for value, low, high, y, fill in (
            (row.estimate, row.low, row.high, place - 0.13, colour),
            (middle, row.task_low, row.task_high, place + 0.13, "white"),
        ):
            ends = [[100 * (value - low)], [100 * (high - value)]]
            left.errorbar(100 * value, y, xerr=ends, fmt="o", color=colour, markerfacecolor=fill, capsize=2)
    names = [term.split(" x ") for term in shown["term"]]
    left.set_yticks(range(len(shown)), [f"{SOURCE_NAMES[source]}, {what}" for source, what in names])
    left.set(ylim=(len(shown) - 0.5, -0.5))
    left.set_xlabel("change of accuracy against real text (points),\nper s.d. of subjectivity, per dissenter of five")
    for values, marker, name in ((residuals, ".", "residuals"), (effects, "s", "sources on tasks")):
        places = stats.norm.ppf((np.arange(len(values)) + 0.5) / len(values))
        right.plot(places, np.sort(values) / np.std(values), marker, markersize=2.5, label=name)
    right.axline((0, 0), slope=1, color="0.5", linestyle="--", linewidth=0.8)
    right.set(xlabel="normal quantile", ylabel="value (s.d.)")
    right.legend(loc="upper left")
    return figure


def _draw_curves(ax: Axes, rows: pd.DataFrame, title: str) -> None:
    for number, (source, line) in enumerate(rows.groupby("source", sort=False)):
        colour = SOURCE_PALETTE[source]
        low, high = 100 * line["accuracy_low"], 100 * line["accuracy_high"]
        ax.vlines(line["gamma"], low, high, color=colour, linewidth=0.6)
        ax.fill_between(line["gamma"], low, high, color=colour, alpha=0.15)
        style = {"color": colour, "marker": _MARKERS[number], "label": SOURCE_NAMES[source]}
        ax.plot(line["gamma"], 100 * line["accuracy"], **style)
    line = rows.drop_duplicates("gamma")
    ax.plot(line["gamma"], 100 * line["constant"], color="0.5", linestyle=":", label="most frequent label")
    n_texts = rows["n_texts"]
    ax.set_title(f"{title}\n{n_texts.max() - n_texts.min()} of {n_texts.max()} disputed", size=7)
    ticks = []
    for gamma in sorted(rows["gamma"].unique(), reverse=True):
        ticks += [gamma] if not ticks or ticks[-1] - gamma >= 0.06 else []
    ax.set_xticks(ticks, [f"{gamma:.2g}" for gamma in ticks])


def _add_legend(figure: Figure, ax: Axes) -> None:
    handles, names = ax.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
