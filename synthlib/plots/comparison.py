"""Figures of 05_task_comparison: Table 1, gaps by task, gap against subjectivity, size against quality."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from synthlib.plots.style import (
    CLASSIFIER_LOOKS,
    CLASSIFIER_NAMES,
    GROUP_COLORS,
    GROUP_MARKERS,
    GROUP_NAMES,
    PAGE_WIDTH,
    SHADES,
    SOURCE_NAMES,
    pick_ink,
)
from synthlib.tasks import task_title

_BREAKS = {
    "pool": "real pool\nalone",
    "zero_shot+attributed": "zero-shot +\nattributed",
    "pool+few_shot": "pool +\nfew-shot",
}


def plot_table_1(table: pd.DataFrame) -> Figure:
    """Plot Macro-F1 by task (row) and training source (column), shaded by value, with the interval below.

    Parameters
    ----------
    table : DataFrame
        task, group, source, f1, f1_low, f1_high (fractions); tasks and sources are drawn in order of appearance.
    """
    tasks, sources = list(table["task"].unique()), list(table["source"].unique())
    fig, ax = plt.subplots(figsize=(PAGE_WIDTH, 0.36 * len(tasks) + 0.9))
    values = table.pivot(index="task", columns="source", values="f1").loc[tasks, sources]
    image = ax.imshow(100 * values.to_numpy(), cmap="Blues", vmin=20, vmax=130, aspect="auto")
    for row in table.itertuples():
        x, y = sources.index(row.source), tasks.index(row.task)
        style = {"ha": "center", "va": "center", "color": pick_ink(image.cmap(image.norm(100 * row.f1)))}
        ax.text(x, y - 0.16, f"{100 * row.f1:.1f}", fontsize=8, **style)
        ax.text(x, y + 0.24, f"{100 * row.f1_low:.0f} to {100 * row.f1_high:.0f}", fontsize=6.5, **style)
    for group, rows in table.drop_duplicates("task").groupby("group"):
        places = [tasks.index(task) for task in rows["task"]]
        name = group.replace("_", " ")
        ax.text(len(sources) - 0.4, np.mean(places), name, rotation=270, ha="left", va="center", fontsize=8)
        if max(places) < len(tasks) - 1:
            ax.axhline(max(places) + 0.5, color="white", lw=3)
    names = [_BREAKS.get(source, SOURCE_NAMES[source].replace(", ", ",\n")) for source in sources]
    ax.set_xticks(range(len(sources)), names)
    ax.set_yticks(range(len(tasks)), map(task_title, tasks))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set_xlabel("Macro-F1 (points) on real test texts, 95% interval below")
    return fig


def plot_gaps(gaps: pd.DataFrame) -> Figure:
    """Plot differences between sources by task with intervals, one panel per pair of sources.

    Parameters
    ----------
    gaps : DataFrame
        task, group, first, second, f1, f1_low, f1_high (first minus second, fractions).
    """
    pairs = list(dict.fromkeys(zip(gaps["first"], gaps["second"], strict=True)))
    tasks = list(gaps["task"].unique())[::-1]
    fig, axes = plt.subplots(
        1, len(pairs), figsize=(PAGE_WIDTH, 0.2 * len(tasks) + 0.9), sharey=True, sharex=True, squeeze=False
    )
    for ax, (first, second) in zip(axes[0], pairs, strict=True):
        for row in gaps[(gaps["first"] == first) & (gaps["second"] == second)].itertuples():
            y, color = tasks.index(row.task), GROUP_COLORS[row.group]
            ax.plot([100 * row.f1_low, 100 * row.f1_high], [y, y], color=color, lw=1.4)
            ax.plot(100 * row.f1, y, GROUP_MARKERS[row.group], color=color)
        ax.axvline(0, color="0.3", lw=0.8, ls=":")
        ax.set_title(f"{SOURCE_NAMES[first]}\nminus {SOURCE_NAMES[second]}")
    axes[0, 0].set_yticks(range(len(tasks)), map(task_title, tasks))
    _name_groups(fig, axes[0, 0])
    fig.supxlabel("difference in Macro-F1 (points), 95% interval", fontsize=8)
    return fig


def plot_gap_and_subjectivity(gaps: pd.DataFrame, *, note: str, judges: str) -> Figure:
    """Plot each task's gap against its subjectivity score, both with intervals.

    Parameters
    ----------
    gaps : DataFrame
        task, group, score, score_low, score_high, f1, f1_low, f1_high (the gap, a fraction).
    note : str
        What is measured on it (correlation), written above.
    judges : str
        Whose judgements the score is made of.
    """
    fig, ax = plt.subplots(figsize=(PAGE_WIDTH * 0.7, 3.2))
    for row in gaps.itertuples():
        color = GROUP_COLORS[row.group]
        ax.plot([row.score_low, row.score_high], [100 * row.f1] * 2, color=color, lw=0.8, alpha=0.5)
        ax.plot([row.score] * 2, [100 * row.f1_low, 100 * row.f1_high], color=color, lw=1.4)
        ax.plot(row.score, 100 * row.f1, GROUP_MARKERS[row.group], color=color, ms=5)
    ax.axhline(0, color="0.3", lw=0.8, ls=":")
    ax.margins(x=0.15)
    _name_points(ax, gaps)
    ax.set_xlabel(f"subjectivity of the task (Bradley-Terry score)\njudged by {judges}")
    ax.set_ylabel("gap: real minus zero-shot,\nMacro-F1 (points)")
    ax.set_title(note)
    _name_groups(fig, ax)
    return fig


def plot_size_and_quality(parts: pd.DataFrame) -> Figure:
    """Plot the gap of each task as what size explains and what quality explains.

    Parameters
    ----------
    parts : DataFrame
        task, part (``size``: real minus size-matched real; ``quality``: size-matched real minus zero-shot), f1, f1_low,
        f1_high (fractions).
    """
    tasks = list(parts["task"].unique())[::-1]
    fig, ax = plt.subplots(figsize=(PAGE_WIDTH * 0.7, 0.3 * len(tasks) + 0.9))
    looks = {"size": (SHADES[3], 0.16, "size and label shares: all real rows minus size-matched real")}
    looks["quality"] = (SHADES[1], -0.16, "quality: size-matched real minus zero-shot")
    for part, (color, offset, name) in looks.items():
        rows = parts[parts["part"] == part]
        y = [tasks.index(task) + offset for task in rows["task"]]
        ax.barh(y, 100 * rows["f1"], height=0.3, color=color, edgecolor="0.3", lw=0.5, label=name)
        for height, low, high in zip(y, rows["f1_low"], rows["f1_high"], strict=True):
            ax.plot([100 * low, 100 * high], [height, height], color="0.15", lw=1)
    ax.axvline(0, color="0.3", lw=0.8)
    ax.grid(False, axis="y")
    ax.set_yticks(range(len(tasks)), map(task_title, tasks))
    ax.set_xlabel("part of the gap in Macro-F1 (points), 95% interval")
    fig.legend(loc="outside upper center", ncols=1)
    return fig


def plot_fine_tuned(conclusions: pd.DataFrame, pairs: list[tuple[str, str]]) -> Figure:
    """Plot differences between sources by task with intervals, frozen beside fine-tuned; one panel per pair of sources.

    Parameters
    ----------
    conclusions : DataFrame
        task, first, second, and f1, f1_low, f1_high with ``_frozen`` and ``_fine_tuned`` behind (fractions).
    pairs : list of (str, str)
        Those to draw; one that no task has stays an empty panel.
    """
    tasks = list(conclusions["task"].unique())[::-1]
    size = (PAGE_WIDTH, 0.26 * len(tasks) + 0.9)
    fig, axes = plt.subplots(1, len(pairs), figsize=size, sharey=True, sharex=True, squeeze=False)
    for ax, (first, second) in zip(axes[0], pairs, strict=True):
        rows = conclusions[(conclusions["first"] == first) & (conclusions["second"] == second)]
        for kind, offset in (("frozen", 0.15), ("fine_tuned", -0.15)):
            color, marker = CLASSIFIER_LOOKS[kind]
            y = [tasks.index(task) + offset for task in rows["task"]]
            ax.hlines(y, 100 * rows[f"f1_low_{kind}"], 100 * rows[f"f1_high_{kind}"], color=color, lw=1.4)
            ax.plot(100 * rows[f"f1_{kind}"], y, marker, color=color, label=CLASSIFIER_NAMES[kind])
        ax.axvline(0, color="0.3", lw=0.8, ls=":")
        ax.set_title(f"{SOURCE_NAMES[first]}\nminus {SOURCE_NAMES[second]}")
    axes[0, 0].set_yticks(range(len(tasks)), map(task_title, tasks))
    fig.supxlabel("difference in Macro-F1 (points), 95% interval", fontsize=8)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


def _name_points(ax: plt.Axes, gaps: pd.DataFrame) -> None:
    """Write each task's title beside its point, at the nearest place clear of other points, bars, names and frame."""
    width, height = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    left, right = np.array(ax.get_xlim()) / width
    x, low, high = gaps["score"] / width, 100 * gaps["f1_low"] / height, 100 * gaps["f1_high"] / height
    taken = [*zip(x, (low + high) / 2, [0.012] * len(x), (high - low) / 2, strict=True)]  # boxes: middle, half sizes
    for number, row in enumerate(gaps.itertuples()):
        name = task_title(row.task)
        half = 0.012 * len(name) / 2
        others = [box for place, box in enumerate(taken) if place != number]
        spots = []
        for far, up, side in itertools.product((1, 3, 5), (1, -1), (1, -1)):
            middle = row.score / width + side * (0.02 * far + half), 100 * row.f1 / height + up * 0.035 * far
            box = (*middle, half, 0.022)
            gap = min((_find_gap(box, other) for other in others), default=1.0)
            gap = min(gap, middle[0] - half - left, right - middle[0] - half)
            spots.append((min(gap, 0.01), -far, side, up, box))
        _, far, side, up, box = max(spots, key=lambda spot: spot[:2])
        point = row.score / width, 100 * row.f1 / height
        leader = np.linspace(point, box[:2], 8)[1:] if far < -1 else []
        taken += [box, *((*place, 0.004, 0.004) for place in leader)]
        ax.annotate(
            name,
            (row.score, 100 * row.f1),
            xytext=(-5 * far * side, -5 * far * up),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="bottom" if up > 0 else "top",
            fontsize=6.5,
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": "0.5", "shrinkA": 0, "shrinkB": 3} if far < -1 else None,
        )


def _find_gap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return how far two boxes (middle x and y, half width, half height) are apart; below 0 where they overlap."""
    return max(abs(a[0] - b[0]) - a[2] - b[2], abs(a[1] - b[1]) - a[3] - b[3])


def _name_groups(fig: Figure, ax: plt.Axes) -> None:
    for group, name in GROUP_NAMES.items():
        ax.plot([], [], GROUP_MARKERS[group], color=GROUP_COLORS[group], label=name)
    handles, names = ax.get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=2)
